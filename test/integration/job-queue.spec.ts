import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { openPostgresStore } from '../../src/platform/job-queue/bullmq-postgres.js';
import { openRedisStore } from '../../src/platform/job-queue/bullmq-redis.js';
import { BullmqJobQueue } from '../../src/platform/job-queue/job-queue.bullmq.js';
import { jobQueueContract } from '../contracts/job-queue.contract.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { describeRedis, RedisServer } from '../support/redis.js';
import { until } from '../support/wait-for.js';

const OPTIONS = '-c search_path=bullmq';
const NOW = new Date(0);

/** A store that comes and goes, with the queues of several processes on it. */
interface Store {
  queue(): BullmqJobQueue;
  /** Nobody can connect any more, and who is connected is cut off. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  /** Everything in it is lost. */
  flush(): Promise<void>;
}

let database: TestDatabase;

// Some tests make trouble on purpose.
Logger.overrideLogger(false);

beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

describe('BullMQ on Postgres', () => {
  const settings = (): pg.ClientConfig => database.connection.direct('jobs', OPTIONS);
  const queueOn = (target: pg.ClientConfig): BullmqJobQueue =>
    new BullmqJobQueue((workers) => openPostgresStore(target, workers));
  const flush = (): Promise<void> => administrate('DROP SCHEMA IF EXISTS bullmq CASCADE');

  jobQueueContract('of BullMQ on Postgres', async () => {
    await flush();
    const queue = queueOn(settings());
    return { queue, open: () => queue.open(true), close: () => queue.close() };
  });

  outages(async () => {
    // The settings are read at every attempt to connect.
    const shared = settings();
    const here = shared.host;
    return {
      queue: () => queueOn(shared),
      goAway: async () => {
        shared.host = '/nowhere';
        await administrate(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid()`,
        );
      },
      comeBack: async () => void (shared.host = here),
      flush,
    };
  });
});

describeRedis('BullMQ on Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());
  const queueOn = (): BullmqJobQueue => new BullmqJobQueue(() => openRedisStore(redis.url));

  jobQueueContract('of BullMQ on Redis', async () => {
    await redis.flush();
    const queue = queueOn();
    return { queue, open: () => queue.open(true), close: () => queue.close() };
  });

  outages(async () => {
    await redis.flush();
    return {
      queue: queueOn,
      goAway: () => redis.kill(),
      comeBack: () => redis.start(),
      flush: () => redis.flush(),
    };
  });

  it('goes on after its Redis stood still and answered nobody', async () => {
    const done: unknown[] = [];
    const queue = queueOn();
    queue.process('still', async ({ n }) => void done.push(n));
    await queue.open(true);
    redis.signal('SIGSTOP');
    // What cannot be added now is dropped at last; what is too much at once, at once.
    const adding = Array.from({ length: 1_100 }, (_, n) =>
      queue.add('still', { id: `lost-${n}`, data: { n }, dueAt: NOW }),
    );
    let waits = true;
    const added = Promise.all(adding).then(() => (waits = false));
    await Promise.all(adding.slice(1_000));
    expect(waits).toBe(true);
    await added;
    redis.signal('SIGCONT');
    await comesBack(queue, 'still', done);
    await queue.close();
  });

  it('is away as long as its Redis evicts', async () => {
    await redis.command('CONFIG SET maxmemory-policy allkeys-lru');
    const done: unknown[] = [];
    const queue = queueOn();
    queue.process('evicted', async ({ n }) => void done.push(n));
    await queue.open(true);
    await queue.add('evicted', { id: 'lost', data: { n: 0 }, dueAt: NOW });
    await redis.command('CONFIG SET maxmemory-policy noeviction');
    await comesBack(queue, 'evicted', done);
    expect(done).not.toContain(0);
    await queue.close();
  });
});

/** What every store may do to a queue. */
function outages(open: () => Promise<Store>): void {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });

  it('leaves jobs to other processes in one that does no work', async () => {
    const done: string[] = [];
    const api = store.queue();
    const worker = store.queue();
    api.process('shared', async () => void done.push('api'));
    worker.process('shared', async () => void done.push('worker'));
    await api.open(false);
    await api.add('shared', { id: 'a', data: {}, dueAt: NOW });
    await worker.open(true);
    await until(() => done.length > 0);
    expect(done).toEqual(['worker']);
    await Promise.all([api.close(), worker.close()]);
  });

  it('starts while its store is away, adds nothing, says nothing, and works when it is back', async () => {
    await store.goAway();
    const done: unknown[] = [];
    const queue = store.queue();
    queue.process('late', async ({ n }) => void done.push(n));
    await queue.open(true);
    await queue.add('late', { id: 'lost', data: { n: 0 }, dueAt: NOW });
    await store.comeBack();
    await comesBack(queue, 'late', done);
    expect(done).not.toContain(0);
    await queue.close();
  });

  it('goes on after its store was away', async () => {
    const done: unknown[] = [];
    const queue = store.queue();
    queue.process('cut', async ({ n }) => void done.push(n));
    await queue.open(true);
    await queue.add('cut', { id: 'before', data: { n: 'before' }, dueAt: NOW });
    await until(() => done.includes('before'));
    await store.goAway();
    await queue.add('cut', { id: 'meanwhile', data: { n: 'meanwhile' }, dueAt: NOW });
    await store.comeBack();
    await comesBack(queue, 'cut', done);
    expect(done.slice(0, 1)).toEqual(['before']);
    await queue.close();
  });

  it('goes on after its store was flushed while jobs waited in it', async () => {
    const done: unknown[] = [];
    const queue = store.queue();
    queue.process('flushed', async ({ n }) => void done.push(n));
    await queue.open(true);
    await queue.add('flushed', { id: 'gone', data: { n: 'gone' }, dueAt: new Date(Date.now() + 60_000) });
    await store.flush();
    await comesBack(queue, 'flushed', done);
    expect(done).not.toContain('gone');
    await queue.close();
  });
}

/** Adds the same job until one is done. */
async function comesBack(queue: BullmqJobQueue, name: string, done: readonly unknown[]): Promise<void> {
  await until(
    async () => {
      await queue.add(name, { id: 'back', data: { n: 'back' }, dueAt: NOW });
      return done.includes('back');
    },
    { within: 25_000 },
  );
}

async function administrate(statement: string): Promise<void> {
  const client = new pg.Client(database.connection.direct('test'));
  await client.connect();
  await client.query(statement);
  await client.end();
}
