import { expect, it } from '@jest/globals';
import { until } from '../support/wait-for.js';
import { ChaosPostgres } from './postgres.js';
import { report } from './report.js';
import { World } from './world.js';

const TASKS = 400;
const ROUNDS = 5;
/** Long polls that wait when the signal comes. */
const POLLS = 4;
const NEVER = '/events?topics=never.told&wait_ms=20000';
/** From a client's note that it sends to the server's having it, on a busy machine. */
const ON_ITS_WAY_MS = 200;

it('A19: SIGTERM under load finishes what is in flight, and the server is gone within 10 s', async () => {
  const postgres = await ChaosPostgres.start();
  const world = await World.start({ database: postgres.url });
  try {
    await world.subscriber();
    await world.fleet(6);
    const load = world.load(TASKS, 60);
    const signals: { up: number; at: number; took: number; code: number | null }[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      const up = Date.now();
      const polls = Promise.all(Array.from({ length: POLLS }, () => world.call('GET', NEVER)));
      await until(() => world.completed >= (round / (ROUNDS + 1)) * TASKS, { within: 60_000 });
      const at = Date.now();
      signals.push({ up, at, ...(await world.restartServer()) });
      expect((await polls).map(({ status }) => status)).toEqual(Array(POLLS).fill(200));
    }
    await load;
    const verdict = await world.judge();
    // What else had reached the server when the signal came: each has its answer.
    const inFlight = signals.flatMap(({ up, at }) =>
      verdict.history.exchanges.filter(
        ({ sentAt, answeredAt = Infinity }) =>
          sentAt >= up && sentAt < at - ON_ITS_WAY_MS && answeredAt >= at,
      ),
    );
    const cut = inFlight.filter(({ status }) => status === undefined);
    report('A19', world, verdict, {
      'SIGTERM / longest way out': `${ROUNDS} / ${Math.max(...signals.map(({ took }) => took))} ms`,
      'in flight then / cut': `${ROUNDS * POLLS + inFlight.length} / ${cut.length}`,
    });
    expect(signals.map(({ code }) => code)).toEqual(Array(ROUNDS).fill(0));
    expect(Math.max(...signals.map(({ took }) => took))).toBeLessThanOrEqual(10_000);
    expect(cut).toEqual([]);
    expect(verdict.findings).toEqual([]);
  } finally {
    await world.stop();
    await postgres.remove();
  }
});
