import { expect, it } from '@jest/globals';
import { ChaosPostgres } from './postgres.js';
import { report } from './report.js';
import { World } from './world.js';

const TASKS = 200;
/** Longer than a lease: an agent lives on its heartbeats. */
const WORK_MS = 2_000;

it('A9: servers whose clocks are wrong by two minutes take no lease early and give no task twice', async () => {
  const postgres = await ChaosPostgres.start();
  const world = await World.start({ database: postgres.url, clocks: [-120_000, 0, 120_000] });
  try {
    await world.subscriber();
    await world.fleet(6, { capacity: 20, workMs: WORK_MS, crashes: 0.02, pauses: 0.01 });
    await world.load(TASKS, Infinity);
    const verdict = await world.judge();
    report('A9', world, verdict, { servers: '3, at -120 s, 0, +120 s' });
    expect(verdict.findings).toEqual([]);
    expect(verdict.outcome.tasks).toHaveLength(TASKS);
  } finally {
    await world.stop();
    await postgres.remove();
  }
});
