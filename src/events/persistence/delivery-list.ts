import type { Statement } from '../../platform/database/statement.js';
import type { PageKey } from '../../platform/http/page.js';
import { ANY_PROJECT } from '../../shared/ids.js';
import { type DELIVERY_KINDS, type DELIVERY_STATUSES, TRIED_HOURS } from '../domain/delivery.js';

/** A delivery as the ledger shows it. */
export interface Delivery {
  readonly id: string;
  readonly project_id: string;
  readonly kind: (typeof DELIVERY_KINDS)[number];
  readonly request_id: string | null;
  readonly subscription_id: string | null;
  readonly event_id: string | null;
  readonly webhook_id: string;
  readonly agent_id: string;
  readonly agent_project: string;
  readonly url: string;
  readonly status: (typeof DELIVERY_STATUSES)[number];
  readonly attempt: number;
  readonly next_attempt_at: string | null;
  readonly give_up_at: string;
  readonly last_status: number | null;
  readonly last_error: string | null;
  readonly created_at: string;
  readonly updated_at: string;
  readonly delivered_at: string | null;
}

const COLUMNS = `d.id, d.project_id, d.kind, d.request_id, d.subscription_id, d.event_id, d.webhook_id, d.agent_id,
  d.agent_project, d.url, d.status, d.attempt, d.next_attempt_at, d.give_up_at, d.last_status, d.last_error, d.created_at, d.updated_at,
  d.delivered_at`;

/** Which deliveries a list shows; what is left out does not filter. */
export interface DeliveryFilter {
  /** With `agent_project`: only what this agent's secret signs. */
  readonly agent_id?: string | undefined;
  readonly agent_project?: string | undefined;
  readonly status?: string | undefined;
  readonly kind?: string | undefined;
  readonly request_id?: string | undefined;
  readonly subscription_id?: string | undefined;
  readonly created_after?: string | undefined;
  readonly created_before?: string | undefined;
}

const CONDITIONS = {
  agent_id: 'd.agent_id = $',
  agent_project: 'd.agent_project = $',
  status: 'd.status = $',
  kind: 'd.kind = $',
  request_id: 'd.request_id = $',
  subscription_id: 'd.subscription_id = $',
  created_after: 'd.created_at > $::timestamptz',
  created_before: 'd.created_at < $::timestamptz',
} as const;

/**
 * Deliveries, newest first, from behind `after`; one text per combination of filters, so that the planner sees which index
 * serves. Rows: Delivery.
 * @param projectId `*`: of all projects
 */
export function listDeliveries(
  projectId: string,
  filter: DeliveryFilter,
  after: PageKey | undefined,
  limit: number,
): Statement {
  const values: unknown[] = [];
  const conditions: string[] = [];
  const names: string[] = [];
  const add = (name: string, condition: string, value: unknown): void => {
    names.push(name);
    conditions.push(condition.replace('$', `$${values.push(value)}`));
  };
  if (projectId !== ANY_PROJECT) add('p', 'd.project_id = $', projectId);
  for (const [name, condition] of Object.entries(CONDITIONS)) {
    const value: unknown = Reflect.get(filter, name);
    if (value === undefined) continue;
    // Written out, as an index holds those that failed alone.
    if (value === 'failed') add(value, `d.status = 'failed' AND d.status = $`, value);
    else add(name.replace('created_', ''), condition, value);
  }
  if (after !== undefined) {
    names.push('behind');
    const [at, id] = [values.push(after.createdAt), values.push(after.id)];
    conditions.push(`(d.created_at, d.id) < ($${at}::timestamptz, $${id}::text)`);
  }
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  return {
    name: `deliveries ${names.join(' ')}`,
    text: `SELECT ${COLUMNS} FROM deliveries d ${where} ORDER BY d.created_at DESC, d.id DESC LIMIT $${values.push(limit)}`,
    values,
  };
}

/** $2 `*`: in any project. Rows: Delivery. */
export const FIND_DELIVERY = {
  name: 'delivery-find',
  text: `SELECT ${COLUMNS} FROM deliveries d WHERE d.id = $1 AND ($2 = '${ANY_PROJECT}' OR d.project_id = $2)`,
};

/** One that failed is tried anew, at once and for as long as a new one. Rows: Delivery. */
export const REDRIVE = {
  name: 'delivery-redrive',
  text: `
    UPDATE deliveries d SET status = 'pending', attempt = 0, next_attempt_at = t.now, updated_at = t.now,
      give_up_at = t.now + interval '${TRIED_HOURS} hours'
    FROM (SELECT date_trunc('milliseconds', clock_timestamp()) AS now) t
    WHERE d.id = $1 AND d.project_id = $2 AND d.status = 'failed'
    RETURNING ${COLUMNS}`,
};
