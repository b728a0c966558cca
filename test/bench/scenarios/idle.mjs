// One task at a time for an agent that waits: from the moment its creator sends it to the moment the agent has it.
import { warmUp, withLoad } from '../load.mjs';
import { figuresOf, oneWindow } from '../windows.mjs';
import { TASK } from '../work.mjs';

/** So long, ms, the creator lets the system rest at most. */
const PAUSE_MS = 40;

function idle(by, seen, about) {
  const type = `idle_${by}`;
  const topic = `task.${type}.completed`;
  const creator = { path: '/tasks', body: { ...TASK, type }, seen, topic, pause: PAUSE_MS };
  return {
    name: `idle-${by}`,
    about,
    async run(bed, pace) {
      const workers = [{ ...(await bed.server.agent(type)), by, at_once: 1 }];
      const window = await withLoad(bed, { creator, workers }, async (load) => {
        await load.creator.ask('start', { callers: 1 });
        await warmUp(load.take, { done: pace.warmUp.done / 10, atMost: pace.warmUp.atMost });
        const take = () => load.workers[0].ask('take');
        return oneWindow(bed, load.pids, take, pace.seconds * pace.times);
      });
      const figures = figuresOf([window]);
      const targets = [
        { what: 'created → claimed, p50 ms', value: figures.p50, atMost: 5 },
        { what: 'created → claimed, p99 ms', value: figures.p99, atMost: 15 },
      ];
      return [{ ...figures, targets }];
    },
  };
}

export const IDLES = [
  idle('http', 'result', 'created → claimed by a waiting long poll'),
  idle('socket', 'socket', 'created → pushed to a waiting socket'),
];
