import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseConnection } from '../../src/platform/database/database-connection.js';
import { startPostgresProxy } from '../support/postgres-proxy.js';
import { ServerProcess } from '../support/processes.js';
import { until } from '../support/wait-for.js';
import { ChaosPostgres, urlOf } from './postgres.js';
import { randomFrom } from './random.mjs';
import { report } from './report.js';
import { SEED, World } from './world.js';

describe('Postgres', () => {
  let postgres: ChaosPostgres;
  let world: World;

  beforeEach(async () => {
    postgres = await ChaosPostgres.start();
  });
  afterEach(async () => {
    await world.stop();
    await postgres.remove();
  });

  it('A5: goes away three times under load; servers wait for it and are ready within 5 s', async () => {
    const tasks = 300;
    world = await World.start({ database: postgres.url });
    const [server] = world.servers;
    await world.subscriber();
    await world.fleet(4);
    const load = world.load(tasks, 60);
    const readyAfter: number[] = [];
    const refusals: unknown[] = [];
    for (const share of [0.2, 0.5, 0.8]) {
      await until(() => world.completed >= share * tasks, { within: 60_000 });
      await world.outage(async () => {
        await postgres.goAway();
        const { status, body } = await until(() => world.call('GET', '/tasks'));
        refusals.push({ status, body });
        const late = share === 0.5 ? new ServerProcess({ env: world.environment() }) : undefined;
        await delay(2_000);
        await postgres.comeBack();
        const since = Date.now();
        await world.ready();
        if (late !== undefined) {
          await until(() => late.url !== '', { within: 5_000 });
          await late.kill('SIGKILL');
        }
        readyAfter.push(Date.now() - since);
      });
    }
    await load;
    const verdict = await world.judge();
    report('A5', world, verdict, { 'ready after Postgres, ms': readyAfter.join(', ') });
    expect(refusals).toEqual([STANDARD_503, STANDARD_503, STANDARD_503]);
    expect(Math.max(...readyAfter)).toBeLessThanOrEqual(5_000);
    expect(verdict.findings).toEqual([]);
    // Still the process that was started first.
    expect(await (await fetch(`${server?.url}/health/live`)).json()).toEqual({ status: 'live' });
    expect(world.servers).toEqual([server]);
  });

  it('A17: breaks one in ten COMMITs, before or after it is done; each effect is there once', async () => {
    const tasks = 500;
    const cuts = { after: 0, before: 0 };
    const random = randomFrom(SEED);
    let cutting = false;
    const proxy = await startPostgresProxy(
      new DatabaseConnection({ ...postgres.settings, ssl: false }),
      () => {
        const chance = cutting ? random() : 1;
        const fate = chance < 0.05 ? 'after' : chance < 0.1 ? 'before' : undefined;
        if (fate !== undefined) cuts[fate] += 1;
        return fate;
      },
    );
    try {
      world = await World.start({ database: urlOf({ ...postgres.settings, ...proxy.place }) });
      await world.subscriber();
      await world.fleet(4);
      cutting = true;
      await world.load(tasks, 60);
      await until(() => world.completed === tasks, { within: 120_000 });
      cutting = false;
      const verdict = await world.judge();
      report('A17', world, verdict, { 'COMMITs cut after / before': `${cuts.after} / ${cuts.before}` });
      expect(Math.min(cuts.after, cuts.before)).toBeGreaterThan(10);
      expect(verdict.findings).toEqual([]);
    } finally {
      await world.stop();
      await proxy.close();
    }
  });
});

const STANDARD_503 = {
  status: 503,
  body: {
    error: {
      code: 'SERVICE_UNAVAILABLE',
      message: expect.any(String),
      details: expect.any(Object),
      correlation_id: expect.any(String),
      timestamp: expect.any(String),
    },
  },
};
