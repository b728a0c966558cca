import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { BullmqJobQueue } from '../../src/platform/job-queue/job-queue.bullmq.js';
import { jobQueueContract } from '../contracts/job-queue.contract.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { until } from '../support/wait-for.js';

const OPTIONS = '-c search_path=bullmq';
const NOW = new Date(0);

let database: TestDatabase;

// Some tests make trouble on purpose.
Logger.overrideLogger(false);

beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

jobQueueContract('of BullMQ on Postgres', async () => {
  await administrate('DROP SCHEMA IF EXISTS bullmq CASCADE');
  const queue = new BullmqJobQueue(database.connection.direct('jobs', OPTIONS));
  return { queue, open: () => queue.open(true), close: () => queue.close() };
});

describe('the job queue of a process', () => {
  it('that does no work adds jobs and leaves them to another', async () => {
    const done: string[] = [];
    const api = new BullmqJobQueue(database.connection.direct('jobs', OPTIONS));
    const worker = new BullmqJobQueue(database.connection.direct('jobs', OPTIONS));
    api.process('shared', async () => void done.push('api'));
    worker.process('shared', async () => void done.push('worker'));
    await api.open(false);
    await api.add('shared', { id: 'a', data: {}, dueAt: NOW });
    await worker.open(true);
    await until(() => done.length > 0);
    expect(done).toEqual(['worker']);
    await Promise.all([api.close(), worker.close()]);
  });

  it('that starts while Postgres is away adds nothing, says nothing, and works when it is back', async () => {
    const settings = database.connection.direct('jobs', OPTIONS);
    const here = settings.host;
    // The settings are read at every attempt to connect.
    settings.host = '/nowhere';
    const done: unknown[] = [];
    const queue = new BullmqJobQueue(settings);
    queue.process('late', async ({ n }) => void done.push(n));
    await queue.open(true);
    await queue.add('late', { id: 'lost', data: { n: 0 }, dueAt: NOW });
    settings.host = here;
    await until(
      async () => {
        await queue.add('late', { id: 'kept', data: { n: 1 }, dueAt: NOW });
        return done.includes(1);
      },
      { within: 20_000 },
    );
    expect(done).not.toContain(0);
    await queue.close();
  });

  it('goes on after all its connections were cut', async () => {
    const done: unknown[] = [];
    const queue = new BullmqJobQueue(database.connection.direct('jobs to cut', OPTIONS));
    queue.process('cut', async ({ n }) => void done.push(n));
    await queue.open(true);
    await queue.add('cut', { id: 'before', data: { n: 'before' }, dueAt: NOW });
    await until(() => done.includes('before'));
    await administrate(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    await until(
      async () => {
        await queue.add('cut', { id: 'after', data: { n: 'after' }, dueAt: NOW });
        return done.includes('after');
      },
      { within: 20_000 },
    );
    await queue.close();
  });
});

async function administrate(statement: string): Promise<void> {
  const client = new pg.Client(database.connection.direct('test'));
  await client.connect();
  await client.query(statement);
  await client.end();
}
