import pg from 'pg';
import type { DomainEvent } from '../../shared/domain-event.js';
import type { LogWriter } from './log-writer.js';
import { pipeline } from './pipeline.js';
import { isConnectionLost } from './postgres-errors.js';
import type { Statement } from './statement.js';

const COMMIT: Statement = { name: 'commit', text: 'COMMIT' };
export const ROLLBACK: Statement = { name: 'rollback', text: 'ROLLBACK' };

/** The connection broke while COMMIT was on its way: only {@link commitOutcome} can say what became of it. */
export class CommitUnknown extends Error {
  override readonly name = 'CommitUnknown';
}

/**
 * Ends a transaction: the last writes, the log's lock, its events and COMMIT in one round trip.
 * @returns the position of the first event, if there are events
 * @throws CommitUnknown when the connection was lost after COMMIT may have reached the server
 */
export async function commitWithEvents(
  client: pg.ClientBase,
  log: LogWriter,
  writes: readonly Statement[],
  events: readonly DomainEvent[],
): Promise<number | undefined> {
  const statements = [...writes, ...log.append(events), COMMIT];
  try {
    const rows = await pipeline(client, statements);
    const firstPos = events.length === 0 ? undefined : rows.at(-2)?.[0]?.['first_pos'];
    return typeof firstPos === 'number' ? firstPos : undefined;
  } catch (error) {
    if (isConnectionLost(error)) throw new CommitUnknown('connection lost during COMMIT', { cause: error });
    throw error;
  }
}

const PATIENCE_MS = 10_000;

/** What is known of a transaction whose COMMIT got no answer. */
export interface DoubtfulTransaction {
  readonly xid: string;
  /** Database time at its start. */
  readonly now: string;
  readonly events: readonly DomainEvent[];
}

/**
 * What became of a transaction whose COMMIT got no answer, from Postgres itself. Waits while it is still in progress:
 * its backend may not have noticed yet that we are gone.
 *
 * A Postgres that crashed gives the number of a transaction that had not reached its disk to another one, so a number
 * (`pg_xact_status`) proves no commit. Only the transaction's own event does, of which it wrote the id.
 */
export async function commitOutcome(
  transaction: DoubtfulTransaction,
  settings: pg.ClientConfig,
): Promise<'committed' | 'aborted' | 'unknown'> {
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (;;) {
    const client = new pg.Client({ ...settings, query_timeout: PATIENCE_MS });
    client.on('error', () => {});
    try {
      await client.connect();
      const status = await xidStatus(client, transaction.xid);
      // A statement of its own: it must see what the first one saw end.
      if (status !== 'in progress') return await committedOrNot(client, transaction, status);
    } catch {
      // Postgres is not back yet.
    } finally {
      await client.end().catch(() => {});
    }
    if (Date.now() > giveUpAt) return 'unknown';
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

type XidStatus = 'in progress' | 'committed' | 'aborted' | 'too old' | 'never reached the disk';

const INVALID_PARAMETER = '22023';

async function xidStatus(client: pg.Client, xid: string): Promise<XidStatus> {
  try {
    const { rows } = await client.query<{ status: 'in progress' | 'committed' | 'aborted' | null }>(
      'SELECT pg_xact_status($1::text::xid8) AS status',
      [xid],
    );
    return rows[0]?.status ?? 'too old';
  } catch (error) {
    // "is in the future": Postgres crashed, and has not given the number away again yet.
    if (error instanceof pg.DatabaseError && error.code === INVALID_PARAMETER)
      return 'never reached the disk';
    throw error;
  }
}

async function committedOrNot(
  client: pg.Client,
  { now, events: [event] }: DoubtfulTransaction,
  status: Exclude<XidStatus, 'in progress'>,
): Promise<'committed' | 'aborted' | 'unknown'> {
  if (event !== undefined) {
    const { rowCount } = await client.query(
      'SELECT FROM events WHERE aggregate_id = $1 AND project_id = $2 AND seq = $3 AND id = $4',
      [event.aggregateId, event.projectId, event.seq, event.id],
    );
    return rowCount === 1 ? 'committed' : 'aborted';
  }
  if (status === 'aborted' || status === 'never reached the disk') return 'aborted';
  // Without an event there is only the number, and it means something only to the Postgres that gave it.
  const { rows } = await client.query<{ same: boolean }>(
    'SELECT pg_postmaster_start_time() < $1::timestamptz AS same',
    [now],
  );
  return status === 'committed' && rows[0]?.same === true ? 'committed' : 'unknown';
}
