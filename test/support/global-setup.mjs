// Starts the one PostgreSQL of a test run and makes the migrated database that every test database is cloned from.
// Plain JavaScript over the built server: Jest does not transform what a global setup imports.
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const built = (file) => import(new URL(`../../dist/src/platform/database/${file}.js`, import.meta.url));

export default async function setUp() {
  const { startEmbeddedPostgres } = await built('embedded-postgres/embedded-postgres');
  const { DatabaseConnection } = await built('database-connection');
  const { migrate } = await built('migrate');

  const dataDir = mkdtempSync(join(tmpdir(), 'parley-test-'));
  // Open to the account that root runs PostgreSQL as, so that all there is lies here and goes with it.
  chmodSync(dataDir, 0o755);
  const postgres = await startEmbeddedPostgres({
    dataDir,
    log: () => {},
    settings: { fsync: 'off', full_page_writes: 'off', max_connections: '200' },
  });
  await migrate(new DatabaseConnection(postgres.connection), console.warn);

  // Test files run in processes that inherit this; test/support/database.ts reads it.
  process.env.PARLEY_TEST_POSTGRES = JSON.stringify(postgres.connection);
  globalThis.parleyTestPostgres = { postgres, dataDir };
}
