// Durable POST /tasks, beside pgbench on the same Postgres with the same rows: windows in turn, the best of each.
import { warmUp, withLoad } from '../load.mjs';
import { figuresOf, oneWindow } from '../windows.mjs';
import { TASK } from '../work.mjs';
import { openYardstick } from '../yardstick.mjs';

const TYPE = 'create_only';
const creator = { path: '/tasks', body: { ...TASK, type: TYPE }, seen: 'never' };

function create(callers) {
  return {
    name: `create-${callers}`,
    about: 'POST /tasks, beside the same rows as one prepared statement',
    run: (bed, pace) =>
      withLoad(bed, { creator }, async (load) => {
        const yardstick = await openYardstick(bed, { ...TASK, type: TYPE });
        const ours = [];
        const theirs = [];
        await load.creator.ask('start', { callers });
        await warmUp(load.take, pace.warmUp);
        await load.creator.ask('stop');
        for (let n = 0; n < pace.times; n += 1) {
          theirs.push(await yardstick.run(callers, pace.seconds));
          await load.creator.ask('start', { callers });
          ours.push(await oneWindow(bed, load.pids, load.take, pace.seconds));
          await load.creator.ask('stop');
        }
        const figures = figuresOf(ours);
        const best = Math.max(...figures.windows.map(({ rate }) => rate));
        const bestOfTheirs = Math.max(...theirs);
        const what = `best window (${best.toFixed(0)}/s) ÷ ${yardstick.name}'s best (${bestOfTheirs.toFixed(0)}/s)`;
        const targets = callers === 64 ? [{ what, value: best / bestOfTheirs, atLeast: 0.8 }] : [];
        return [
          { ...figures, targets },
          {
            name: `${yardstick.name}-${callers}`,
            rate: theirs.reduce((sum, rate) => sum + rate, 0) / theirs.length,
            windows: theirs.map((rate) => ({ rate })),
          },
        ];
      }),
  };
}

export const CREATES = [1, 16, 64].map(create);
