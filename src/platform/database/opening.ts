import type pg from 'pg';
import { freshPlans } from './plans.js';
import type { Statement } from './statement.js';

const BEGIN: Statement = { name: 'begin', text: 'BEGIN' };
const LOCK_TIMEOUT: Statement = {
  name: 'lock-timeout',
  text: `SELECT set_config('lock_timeout', '2s', true)`,
};
const FACTS: Statement = {
  name: 'transaction-facts',
  text: `SELECT date_trunc('milliseconds', clock_timestamp()) AS now, pg_current_xact_id()::text AS xid`,
};

/**
 * What a writing transaction begins with. Its last statement answers with one row: `now`, the database's time in ISO 8601
 * with milliseconds, and `xid`.
 * @param waits it may wait for locked rows, 2 s at most
 */
export function opening(client: pg.ClientBase, waits: boolean): Statement[] {
  return [BEGIN, ...freshPlans(client), ...(waits ? [LOCK_TIMEOUT] : []), FACTS];
}
