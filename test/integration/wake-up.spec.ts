import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { MemoryWakeUp } from '../../src/platform/wake-up/wake-up.memory.js';
import { PostgresWakeUp } from '../../src/platform/wake-up/wake-up.postgres.js';
import { wakeUpContract } from '../contracts/wake-up.contract.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { until } from '../support/wait-for.js';

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

wakeUpContract('within one process', async () => ({
  wakeUp: new MemoryWakeUp(),
  close: async () => {},
}));

async function open(): Promise<{ wakeUp: PostgresWakeUp; close(): Promise<void> }> {
  const wakeUp = new PostgresWakeUp(database.connection);
  await wakeUp.open();
  return { wakeUp, close: () => wakeUp.close() };
}

wakeUpContract('over Postgres', open);

describe('wake-ups between processes', () => {
  it('reach the others, many hints in few notices, and come back to the sender only once', async () => {
    const [here, there] = [await open(), await open()];
    const heardHere: string[] = [];
    const heardThere = new Set<string>();
    let callsThere = 0;
    here.wakeUp.on('routes', (keys) => heardHere.push(...keys));
    there.wakeUp.on('routes', (keys) => {
      callsThere += 1;
      for (const key of keys) heardThere.add(key);
    });
    const keys = Array.from({ length: 3_000 }, (_, n) => `route-${n}`);
    for (const key of keys) here.wakeUp.notify('routes', key);
    there.wakeUp.notify('done', 'x');
    await until(() => heardThere.size === keys.length);
    expect(callsThere).toBeLessThan(20);

    // What was sent before has come back to the sender when the other's answer has come.
    const answered = new Promise<void>((resolve) => here.wakeUp.on('answer', () => resolve()));
    there.wakeUp.notify('answer', 'y');
    await answered;
    expect(heardHere).toHaveLength(keys.length);
    await Promise.all([here.close(), there.close()]);
  });

  it('connect again when the connection was cut, and say look, since hints were lost meanwhile', async () => {
    const [here, there] = [await open(), await open()];
    let looks = 0;
    const heard: string[] = [];
    there.wakeUp.on('routes', (keys) => {
      if (keys.size === 0) looks += 1;
      heard.push(...keys);
    });
    await cutListeners();
    await until(() => looks > 0);
    await until(() => {
      here.wakeUp.notify('routes', 'after');
      return heard.includes('after');
    });
    await Promise.all([here.close(), there.close()]);
  });

  it('do not disturb who hints while Postgres is out of reach', async () => {
    const nowhere = new PostgresWakeUp(unreachable());
    await nowhere.open();
    const heard: string[] = [];
    nowhere.on('routes', (keys) => heard.push(...keys));
    nowhere.notify('routes', 'still here');
    await until(() => heard.length > 0);
    await nowhere.close();
  });
});

function unreachable(): TestDatabase['connection'] {
  const connection = Object.create(database.connection) as TestDatabase['connection'];
  connection.direct = () => ({ host: '127.0.0.1', port: 1 });
  return connection;
}

async function cutListeners(): Promise<void> {
  const client = new pg.Client(database.connection.direct('scissors'));
  await client.connect();
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'parley wake-up'`,
  );
  await client.end();
}
