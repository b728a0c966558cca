import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '../support/wait-for.js';
import { waitsForDead } from './lease-checks.js';
import { ChaosPostgres } from './postgres.js';
import { report } from './report.js';
import { World } from './world.js';

describe('a lost lease', () => {
  let postgres: ChaosPostgres;
  let world: World;

  beforeAll(async () => {
    postgres = await ChaosPostgres.start();
  });
  beforeEach(async () => {
    world = await World.start({ database: postgres.url });
    await world.subscriber();
  });
  afterEach(() => world.stop());
  afterAll(() => postgres.remove());

  /** Agents that hold so many started tasks each. */
  async function holders(agents: number, capacity: number): Promise<string[]> {
    await world.fleet(agents, { capacity, holds: true });
    await world.load(agents * capacity, Infinity);
    await until(() => world.agents.every(({ started }) => started.size === capacity), { within: 60_000 });
    return world.agents.flatMap(({ started }) => [...started]);
  }

  /** Agents that complete whatever they get. */
  async function heirs(count: number): Promise<void> {
    for (let i = 0; i < count; i += 1) await world.agent(`heir-${i}`, { capacity: 50, socket: i % 2 === 1 });
    await until(() => world.agents.slice(-count).every(({ silent }) => !silent));
  }

  it('A3: the tasks of killed agents are offered again within their lease and a second', async () => {
    const held = await holders(20, 10);
    const victims = [...world.agents];
    await heirs(2);
    for (const victim of victims) {
      // Only the lease brings its work back: it is not started again.
      victim.kill();
      await until(() => victim.silent);
    }
    const verdict = await world.judge();
    report('A3', world, verdict);
    const waits = waitsForDead(verdict.history, verdict.outcome);
    expect(new Set(waits.map(({ task }) => task))).toEqual(new Set(held));
    expect(held).toHaveLength(200);
    expect(verdict.findings).toEqual([]);
  });

  it('A4: an agent that comes back from a freeze is refused, and changes nothing', async () => {
    const held = await holders(20, 5);
    const frozen = [...world.agents];
    for (const agent of frozen) agent.freeze();
    await heirs(2);
    const byHeirs = (): number =>
      world.agents.slice(-2).reduce((sum, { completed }) => sum + completed.size, 0);
    await until(() => byHeirs() === held.length, { within: 30_000 });
    for (const agent of frozen) {
      agent.release();
      agent.thaw();
    }
    await until(() => frozen.every(({ refused }) => refused.size === 5), { within: 30_000 });
    const verdict = await world.judge();
    report('A4', world, verdict);
    const refused = verdict.history.exchanges.filter(
      ({ what, code }) => what === 'complete' && code === 'STALE_LEASE',
    );
    expect(refused).toHaveLength(100);
    expect(new Set(refused.map(({ task }) => task))).toEqual(new Set(held));
    expect(verdict.findings).toEqual([]);
  });
});
