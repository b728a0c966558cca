import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../support/wait-for.js';
import { Dags, judgeDags } from './dags.js';
import { ChaosPostgres } from './postgres.js';
import { report } from './report.js';
import { World } from './world.js';

interface Size {
  readonly workflows: number;
  readonly agents: number;
  /** `kill -9` of the server. */
  readonly kills: number;
}

const SMALL = { workflows: 100, agents: 6, kills: 3 };
const WHOLE = { workflows: 1_000, agents: 12, kills: 10 };

/** Here agents fail on purpose, failures and cancels cut short what others hold, and pauses keep it back. */
const LOOSE = ['not completed once', 'taken early', 'offered late', 'answer'];

describe('A20', () => {
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
  ])(
    '%s: random workflows end, in order, each stage once, whatever is killed',
    async (name, { workflows: count, agents, kills }: Size) => {
      world = await World.start({ database: postgres.url });
      await world.fleet(agents, { crashes: 0.01, pauses: 0.005, failures: 0.12 });
      const dags = new Dags(world);
      const posting = dags.post(count, 60);
      const interfering = dags.interfere();
      for (let kill = 1; kill <= kills; kill += 1) {
        await until(() => dags.ids.length >= (kill / (kills + 1)) * count, { within: 600_000 });
        await world.crashServer();
      }
      await posting;
      dags.stop();
      await interfering;
      await dags.allEnd(300_000);
      const verdict = await world.judge();
      const workflows = await dags.read();
      const findings = verdict.findings.filter(({ broken }) => !LOOSE.includes(broken));
      const broken = judgeDags(workflows, verdict.outcome);
      report(
        `A20 ${name}`,
        world,
        { ...verdict, findings },
        {
          workflows: workflows.length,
          'completed / failed / cancelled': ['completed', 'failed', 'cancelled']
            .map((status) => workflows.filter((one) => one.status === status).length)
            .join(' / '),
          'stages undone': workflows
            .flatMap(({ stages }) => stages)
            .filter(({ status }) => status === 'compensated').length,
          interfered: JSON.stringify(dags.done),
          'kill -9 of the server': kills,
          'broken about workflows': broken.length,
        },
      );
      expect(broken).toEqual([]);
      expect(findings).toEqual([]);
      expect(workflows).toHaveLength(count);
    },
  );
});
