// A workflow of three stages, one after the other, by three agents in a process each: posted → its creator sees its end.
import { warmUp, withLoad } from '../load.mjs';
import { figuresOf, measure } from '../windows.mjs';

const STAGES = ['plan', 'write', 'review'];

function workflow(by, seen, callers) {
  const typeOf = (stage) => `${stage}_${by}_${callers}`;
  const name = callers === 1 ? `workflow-${by}-alone` : `workflow-${by}-${callers}`;
  const body = {
    name,
    input_data: { goal: 'the checkout' },
    stages: STAGES.map((stage, place) => ({
      name: stage,
      agent_type: typeOf(stage),
      dependencies: STAGES.slice(Math.max(place - 1, 0), place),
    })),
  };
  const creator = { path: '/workflows', body, seen, topic: 'workflow.completed' };
  return {
    name,
    about: `three stages, ${callers === 1 ? 'alone' : `${callers} workflows at once`}, by ${by}; figures per workflow`,
    async run(bed, pace) {
      const agents = await Promise.all(STAGES.map((stage) => bed.server.agent(typeOf(stage))));
      const workers = agents.map((agent) => ({ ...agent, by, at_once: callers }));
      const windows = await withLoad(bed, { creator, workers }, async (load) => {
        await load.creator.ask('start', { callers });
        await warmUp(load.take, { done: pace.warmUp.done / 3, atMost: pace.warmUp.atMost });
        return measure(bed, load.pids, load.take, pace);
      });
      const figures = figuresOf(windows);
      const targets = [{ what: 'three stages alone, p50 ms', value: figures.p50, atMost: 20 }];
      return [{ ...figures, targets: callers === 1 ? targets : [] }];
    },
  };
}

export const WORKFLOWS = [
  workflow('http', 'result', 1),
  workflow('http', 'result', 16),
  workflow('socket', 'socket', 1),
  workflow('socket', 'socket', 16),
];
