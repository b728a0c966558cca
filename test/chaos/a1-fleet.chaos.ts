import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../support/wait-for.js';
import { ChaosPostgres } from './postgres.js';
import { randomFrom } from './random.mjs';
import { report } from './report.js';
import { World } from './world.js';

interface Size {
  readonly tasks: number;
  readonly agents: number;
  /** `kill -9` of the server. */
  readonly kills: number;
  /** Immediate stops of Postgres. */
  readonly stops: number;
}

const SMALL = { tasks: 1_000, agents: 8, kills: 10, stops: 1 };
const WHOLE = { tasks: 4_000, agents: 24, kills: 25, stops: 2 };

describe('A1', () => {
  let postgres: ChaosPostgres;
  let world: World;

  beforeAll(async () => {
    postgres = await ChaosPostgres.start();
  });
  afterEach(() => world.stop());
  afterAll(() => postgres.remove());

  it.each([
    ['small', SMALL],
    ['whole', WHOLE],
  ])('%s: nothing is lost, nothing is done twice', async (name, { tasks, agents, kills, stops }: Size) => {
    world = await World.start({ database: postgres.url });
    await world.subscriber();
    await world.fleet(agents, { crashes: 0.02, pauses: 0.01 });
    const load = world.load(tasks);
    const faults = shuffled(
      [...Array<'kill'>(kills).fill('kill'), ...Array<'stop'>(stops).fill('stop')],
      world.seed,
    );
    for (const [index, fault] of faults.entries()) {
      const share = (index + 1) / (faults.length + 1);
      await until(() => world.completed >= share * tasks, { within: 300_000 });
      if (fault === 'kill') await world.crashServer();
      else await world.outage(() => postgres.crash());
    }
    await load;
    const verdict = await world.judge();
    report(`A1 ${name}`, world, verdict, {
      agents,
      'kill -9 of the server / stops of Postgres': `${kills} / ${stops}`,
    });
    expect(verdict.findings).toEqual([]);
    expect(verdict.outcome.tasks).toHaveLength(tasks);
    // How long a restart takes (5 s at most, says A1) is measured and not judged: it tells as much of the machine.
    expect(world.restarts).toHaveLength(kills);
  });
});

function shuffled<T>(values: readonly T[], seed: number): T[] {
  const random = randomFrom(seed);
  return values
    .map((value) => ({ value, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value);
}
