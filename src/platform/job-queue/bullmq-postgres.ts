import { createPostgresBackend, Queue, runMigrations, Worker } from 'bullmq';
import pg from 'pg';
import { type BullmqStore, EVENTS, WORKER } from './bullmq-session.js';

const SCHEMA = 'bullmq';

/**
 * BullMQ's tables in Postgres, over one pool.
 * @param settings of a session connection whose search_path is `bullmq`
 * @param workers how many there will be: each keeps one connection to listen on
 * @throws while Postgres is away
 */
export async function openPostgresStore(settings: pg.ClientConfig, workers: number): Promise<BullmqStore> {
  const pool = new pg.Pool({ ...settings, max: workers + 2, idleTimeoutMillis: 120_000 });
  let lost = (): void => {};
  pool.on('error', () => lost());
  pool.on('connect', (client) => client.on('error', () => {}));
  try {
    const client = await pool.connect();
    await runMigrations(client, SCHEMA).finally(() => client.release());
  } catch (error) {
    await pool.end();
    throw error;
  }
  return {
    queue: (name) => new Queue(name, { connection: pool, streams: EVENTS }, createPostgresBackend),
    worker: (name, processor) =>
      new Worker(name, processor, { ...WORKER, connection: pool }, createPostgresBackend),
    onLost: (run) => (lost = run),
    ping: () => pool.query('SELECT 1'),
    close: () => pool.end(),
  };
}
