import pg from 'pg';
import type { DomainEvent } from '../../shared/domain-event.js';
import type { LogWriter } from './log-writer.js';
import { pipeline } from './pipeline.js';
import { isConnectionLost } from './postgres-errors.js';
import type { Statement } from './statement.js';

const COMMIT: Statement = { name: 'commit', text: 'COMMIT' };

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

/**
 * What became of a transaction whose COMMIT got no answer, from Postgres itself (`pg_xact_status`). Waits while it is
 * still in progress: its backend may not have noticed yet that we are gone.
 */
export async function commitOutcome(
  xid: string,
  settings: pg.ClientConfig,
): Promise<'committed' | 'aborted' | 'unknown'> {
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (;;) {
    const client = new pg.Client(settings);
    client.on('error', () => {});
    try {
      await client.connect();
      const answer = await client.query<{ status: string | null }>(
        'SELECT pg_xact_status($1::text::xid8) AS status',
        [xid],
      );
      const status = answer.rows[0]?.status;
      if (status === 'committed' || status === 'aborted') return status;
      if (status === null) return 'unknown';
    } catch {
      // Postgres is not back yet.
    } finally {
      await client.end().catch(() => {});
    }
    if (Date.now() > giveUpAt) return 'unknown';
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
