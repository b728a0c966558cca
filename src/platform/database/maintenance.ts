import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { DatabaseConnection } from './database-connection.js';
import { toRefusal } from './postgres-errors.js';
import type { Row } from './statement.js';

/** Longest wait for a lock, so that a shutdown does not wait either. */
const LOCK_TIMEOUT = '2s';

export type RunStatement = (text: string, values?: readonly unknown[]) => Promise<Row[]>;

/** Work on the schema that cannot be done in a transaction, or not through a pooler: in a session of its own. */
@Injectable()
export class Maintenance {
  constructor(private readonly connection: DatabaseConnection) {}

  /**
   * Does the work unless a process is at it already. Locks are waited for two seconds at most; what then fails can be
   * tried again.
   * @throws DomainError SERVICE_UNAVAILABLE when a lock was not to be had, or Postgres is away
   * @param lock any number, as long as all processes take the same for the same work
   */
  async alone(lock: number, work: (run: RunStatement) => Promise<void>): Promise<void> {
    const client = new pg.Client(
      this.connection.direct('maintenance', `-c timezone=UTC -c lock_timeout=${LOCK_TIMEOUT}`),
    );
    client.on('error', () => {});
    try {
      await client.connect();
      const run: RunStatement = async (text, values) =>
        (await client.query<Row>(text, values && [...values])).rows;
      const [row] = await run('SELECT pg_try_advisory_lock($1) AS mine', [lock]);
      // The lock goes with its session.
      if (row?.['mine'] === true) await work(run);
    } catch (error) {
      throw toRefusal(error);
    } finally {
      await client.end();
    }
  }
}
