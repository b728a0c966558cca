import { setTimeout as delay } from 'node:timers/promises';
import { isNativeError } from 'node:util/types';
import pg from 'pg';
import { createDataSource } from '../../../config/data-source.js';
import type { DatabaseConnection } from './database-connection.js';
import { isConnectionLost } from './postgres-errors.js';

/** Any number, as long as every instance takes the same one. */
const MIGRATION_LOCK = 7_316_202_412;
const RETRY_MS = 250;

/**
 * Brings the schema up to date. Of several instances that start at once exactly one migrates; the others wait for it.
 * While Postgres is away or starting up it keeps trying, and says so once.
 * @throws what the database says when a migration fails, or when it refuses us (password, database name)
 */
export async function migrate(connection: DatabaseConnection, log: (line: string) => void): Promise<void> {
  for (let told = false; ; told = true) {
    try {
      return await migrateAlone(connection);
    } catch (error) {
      if (!isConnectionLost(error)) throw error;
      if (!told) log(`PostgreSQL is not there yet (${reasonOf(error)}); waiting for it`);
      await delay(RETRY_MS);
    }
  }
}

async function migrateAlone(connection: DatabaseConnection): Promise<void> {
  const guard = new pg.Client(connection.direct('migration lock'));
  guard.on('error', () => {});
  const dataSource = createDataSource({ ...connection.direct('migrations'), max: 1 });
  try {
    await guard.connect();
    await guard.query(`SELECT pg_advisory_lock(${MIGRATION_LOCK})`);
    await dataSource.initialize();
    await dataSource.runMigrations({ transaction: 'each' });
  } finally {
    if (dataSource.isInitialized) await dataSource.destroy();
    // The lock goes with its session.
    await guard.end();
  }
}

function reasonOf(error: unknown): string {
  if (!isNativeError(error)) return String(error);
  // Node tries every address of a name, and joins what came of it in an error without a message.
  return 'errors' in error && Array.isArray(error.errors)
    ? error.errors.map(reasonOf).join('; ')
    : error.message;
}
