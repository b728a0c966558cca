import { setTimeout as delay } from 'node:timers/promises';
import { isNativeError } from 'node:util/types';
import pg from 'pg';
import { MIGRATIONS } from '../../../migrations/index.js';
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
  try {
    await guard.connect();
    await guard.query(`SELECT pg_advisory_lock(${MIGRATION_LOCK})`);
    if (!(await isUpToDate(guard))) await runMigrations(connection);
  } finally {
    // The lock goes with its session.
    await guard.end();
  }
}

/** What TypeORM would find out too; but most starts find nothing to do, and loading it takes a sixth of a start. */
async function isUpToDate(client: pg.Client): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_tables WHERE schemaname = 'public' AND tablename = 'migrations'`,
  );
  if (rowCount === 0) return false;
  const { rows } = await client.query<{ name: string }>('SELECT name FROM migrations');
  const done = new Set(rows.map((row) => row.name));
  return MIGRATIONS.every(({ name }) => done.has(name));
}

async function runMigrations(connection: DatabaseConnection): Promise<void> {
  const { createDataSource } = await import('../../../config/data-source.js');
  const dataSource = await createDataSource({ ...connection.direct('migrations'), max: 1 }).initialize();
  try {
    await dataSource.runMigrations({ transaction: 'each' });
  } finally {
    await dataSource.destroy();
  }
}

function reasonOf(error: unknown): string {
  if (!isNativeError(error)) return String(error);
  // Node tries every address of a name, and joins what came of it in an error without a message.
  return 'errors' in error && Array.isArray(error.errors)
    ? error.errors.map(reasonOf).join('; ')
    : error.message;
}
