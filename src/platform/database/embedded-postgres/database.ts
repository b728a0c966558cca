import pg from 'pg';
import { PARLEY } from './cluster.js';

/** How a client reaches the server; `host` is the folder of its socket. */
export interface Connection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** Proves that the server answers, and makes the database unless an earlier start has. Under the start lock. */
export async function ensureDatabase(connection: Connection): Promise<void> {
  const client = new pg.Client({
    ...connection,
    database: 'postgres',
    ssl: false,
    application_name: 'parley start',
    connectionTimeoutMillis: 10_000,
  });
  client.on('error', () => {});
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [PARLEY]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${PARLEY}`);
  } finally {
    await client.end();
  }
}
