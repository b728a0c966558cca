import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import { DatabaseConnection } from './database-connection.js';
import { pipeline } from './pipeline.js';
import { freshPlans } from './plans.js';
import { isPreparedForAnother, toRefusal } from './postgres-errors.js';
import type { Sql } from './statement.js';

const READ_CONNECTIONS = 6;

/** Single statements outside of any transaction: reads, and writes that stand alone. Throws 503 while Postgres is away. */
@Injectable()
export class Database {
  private readonly pool: pg.Pool;

  constructor(connection: DatabaseConnection) {
    this.pool = connection.pool(connection.serving('reads'), READ_CONNECTIONS);
  }

  /** Rows of one statement. `R` is the row's shape as the SQL's column list writes it: the boundary where it is trusted. */
  async query<R>(sql: Sql, values: readonly unknown[] = []): Promise<R[]> {
    let client: pg.PoolClient | undefined;
    let failure: unknown;
    try {
      client = await this.pool.connect();
      const rows = await pipeline(client, [...freshPlans(client), { ...sql, values }]);
      return rows.at(-1) as R[];
    } catch (error) {
      failure = error;
      if (!isPreparedForAnother(error)) throw toRefusal(error);
    } finally {
      client?.release(failure !== undefined);
    }
    // The connection is dropped; a new one has nothing prepared.
    return this.query(sql, values);
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}
