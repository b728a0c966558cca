import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../support/wait-for.js';
import { ANSWER_FIRST, buildCopy, CLIENT_CLOCK, EVENT_OUTSIDE, type Mutant, NO_FENCE } from './mutants.js';
import { ChaosPostgres } from './postgres.js';
import { report } from './report.js';
import { type Verdict, World } from './world.js';

/** The harness is only worth something if it sees a defect: each is built in, and the unchanged build passes the same. */
describe('A2', () => {
  let postgres: ChaosPostgres;
  beforeAll(async () => {
    postgres = await ChaosPostgres.start();
  });
  afterAll(() => postgres.remove());

  const FREEZE = { scenario: 'agents freeze beyond their leases', run: freeze, clocks: [0] };
  const KILL = { scenario: 'the server is killed under load', run: kill, clocks: [0] };
  const CLOCKS = { scenario: 'clocks are wrong', run: workLong, clocks: [-120_000, 0, 120_000] };
  const cases: (typeof KILL & { name: string; mutant?: Mutant })[] = [
    { ...FREEZE, name: 'as built' },
    { ...FREEZE, name: 'no fence', mutant: NO_FENCE },
    { ...KILL, name: 'as built' },
    { ...KILL, name: 'event outside the transaction', mutant: EVENT_OUTSIDE },
    { ...KILL, name: 'answer before commit', mutant: ANSWER_FIRST },
    { ...CLOCKS, name: 'as built' },
    { ...CLOCKS, name: 'client clock', mutant: CLIENT_CLOCK },
  ];

  it.each(cases)('$scenario: $name', async ({ scenario, run, clocks, name, mutant }) => {
    const { main, remove } = await buildCopy(mutant);
    const world = await World.start({ database: postgres.url, clocks, main });
    try {
      await world.subscriber();
      // What a mutant has broken may never come to its end: tasks it lost are waited for in vain.
      await run(world).catch((stuck: unknown) => {
        if (mutant === undefined) throw stuck;
      });
      const verdict: Verdict = await world.judge(30_000).catch(() => world.judgeNow());
      report(`A2, ${scenario}: ${name}`, world, verdict);
      if (mutant === undefined) expect(verdict.findings).toEqual([]);
      else expect(verdict.findings.map(({ broken }) => broken)).toContain(mutant.broken);
    } finally {
      await world.stop();
      await remove();
    }
  });
});

async function freeze(world: World): Promise<void> {
  await world.fleet(3, { capacity: 5, holds: true });
  const frozen = [...world.agents];
  await world.load(15, Infinity);
  await until(() => frozen.every(({ started }) => started.size === 5));
  for (const agent of frozen) agent.freeze();
  const heir = await world.agent('heir', { capacity: 15, workMs: 1_000 });
  await until(() => heir.started.size === 15);
  for (const agent of frozen) {
    agent.release();
    agent.thaw();
  }
  await until(() => frozen.every(({ completed, refused }) => completed.size + refused.size >= 5));
}

async function kill(world: World): Promise<void> {
  const tasks = 400;
  await world.fleet(4, { workMs: 5 });
  const load = world.load(tasks, Infinity);
  for (const share of [0.1, 0.25, 0.4, 0.55, 0.7, 0.85]) {
    await until(() => world.completed >= share * tasks, { within: 60_000 });
    await world.crashServer();
  }
  await load;
}

async function workLong(world: World): Promise<void> {
  await world.fleet(3, { capacity: 10, workMs: 4_000 });
  await world.load(24, Infinity);
}
