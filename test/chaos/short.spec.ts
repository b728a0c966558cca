import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { until } from '../support/wait-for.js';
import { report } from './report.js';
import { World } from './world.js';

const TASKS = 100;

let database: TestDatabase;
let world: World;

beforeAll(async () => {
  database = await createDatabase();
  world = await World.start({ database: database.url });
});
afterAll(async () => {
  await world.stop();
  await database.drop();
});

it('keeps its promises while the server is killed and agents die and freeze', async () => {
  await world.subscriber();
  await world.fleet(4, { crashes: 0.03, pauses: 0.03 });
  const load = world.load(TASKS, 40);
  for (const share of [0.3, 0.6]) {
    await until(() => world.completed >= share * TASKS, { within: 30_000 });
    await world.crashServer();
  }
  await load;
  const verdict = await world.judge();
  report('chaos, short', world, verdict);
  expect(verdict.findings).toEqual([]);
  expect(verdict.outcome.tasks).toHaveLength(TASKS);
}, 120_000);
