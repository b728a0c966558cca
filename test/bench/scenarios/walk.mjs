// Create, acknowledged → an agent gets it → completes it → the creator sees it; N callers in a closed loop.
import { warmUp, withLoad } from '../load.mjs';
import { figuresOf, measure } from '../windows.mjs';
import { TASK } from '../work.mjs';

/** How it is done, how the creator sees the end, and the CPU ms per task that it may cost at 64 callers. */
const WAYS = {
  http: { seen: 'result', limit: 1.1, about: 'POST, claim (long poll), PATCH, GET result (long poll)' },
  batched: { seen: 'result', limit: 0.8, about: 'POST, reports with claim, GET result (long poll)' },
  socket: { seen: 'socket', limit: 0.6, about: 'POST, push, report on the socket, event on the socket' },
};

function walk(by, callers) {
  const { seen, limit, about } = WAYS[by];
  const type = `walk_${by}_${callers}`;
  const creator = { path: '/tasks', body: { ...TASK, type }, seen, topic: `task.${type}.completed` };
  return {
    name: `${by}-${callers}`,
    about,
    async run(bed, pace) {
      const workers = [{ ...(await bed.server.agent(type)), by }];
      const windows = await withLoad(bed, { creator, workers }, async (load) => {
        await load.creator.ask('start', { callers });
        await warmUp(load.take, pace.warmUp);
        return measure(bed, load.pids, load.take, pace);
      });
      const figures = figuresOf(windows);
      const targets = [{ what: 'CPU ms per task, all processes', value: figures.cpu.all, atMost: limit }];
      return [{ ...figures, targets: callers === 64 ? targets : [] }];
    },
  };
}

export const WALKS = Object.keys(WAYS).flatMap((by) => [1, 16, 64].map((callers) => walk(by, callers)));
