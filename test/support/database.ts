import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { DatabaseConnection } from '../../src/platform/database/database-connection.js';

interface Server {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** The migrated database that others are cloned from. */
  readonly database: string;
}

/** A migrated, otherwise empty database of a test's own. */
export interface TestDatabase {
  readonly connection: DatabaseConnection;
  /** For DATABASE_URL. */
  readonly url: string;
  /** Ends whatever is still connected, and drops it. */
  drop(): Promise<void>;
}

/** The PostgreSQL that global-setup.mjs has started for this run. */
function testServer(): Server {
  const facts = process.env['PARLEY_TEST_POSTGRES'];
  if (facts === undefined) throw new Error('No PostgreSQL: this is not an integration spec.');
  return JSON.parse(facts) as Server;
}

async function administrate(statement: string): Promise<void> {
  // From `postgres`: a template must not be in use while it is cloned.
  const client = new pg.Client({ ...testServer(), database: 'postgres' });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Clones the migrated database; takes about 0.1 s. Drop it in `afterAll`. */
export function createDatabase(): Promise<TestDatabase> {
  return createFrom(testServer().database);
}

/** One that no migration has touched. */
export function createEmptyDatabase(): Promise<TestDatabase> {
  return createFrom('template0');
}

async function createFrom(template: string): Promise<TestDatabase> {
  const server = testServer();
  const name = `test_${randomBytes(6).toString('hex')}`;
  await administrate(`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY file_copy`);
  const { host, port, user, password } = server;
  return {
    connection: new DatabaseConnection({ ...server, database: name }),
    url: `postgres://${user}:${encodeURIComponent(password)}@${encodeURIComponent(host)}:${port}/${name}`,
    drop: () => administrate(`DROP DATABASE ${name} WITH (FORCE)`),
  };
}
