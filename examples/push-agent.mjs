// An agent that is pushed: it says once how much it can take, and its socket brings the work; its reports and heartbeats go
// the same way.
// Usage: node examples/push-agent.mjs [id] [project]
import { ask, connect, handBack, keepAlive, pause, perform, register, run } from './parley.mjs';

const CAPACITY = 2;
const [, , id = 'architect', project_id = 'default'] = process.argv;
const profile = {
  id,
  project_id,
  type: 'architecture_planning',
  name: 'Architect',
  version: '1.0.0',
  capabilities: ['rest', 'postgresql'],
  configuration: { max_concurrent_tasks: CAPACITY },
};

/** A stage finds what the stages before it gave in `input_data.stages`. */
async function* plan(task, signal) {
  const { requirements = [] } = task.input_data?.stages?.requirement_analysis ?? {};
  yield { progress: 30, output_data: { current_operation: 'drawing_components' } };
  await pause(400, signal);
  yield { progress: 80, output_data: { current_operation: 'choosing_database' } };
  await pause(400, signal);
  return { components: ['web', 'api', 'database'], covers: requirements };
}

await run(async (stop) => {
  const { client, session_epoch } = await register(profile, stop);
  const held = new Map();
  const working = new Set();
  const socket = connect(client);
  const beat = (body) => ask(socket, 'heartbeat', body);
  const report = (body) => ask(socket, 'report', body);

  let fail;
  const failed = new Promise((_, reject) => (fail = reject));
  const stopped = new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));

  // After each connect, the first and every later one, the server has to hear how much we take.
  socket.on('connect', () => ask(socket, 'ready', { capacity: stop.aborted ? 0 : CAPACITY }).catch(fail));
  socket.on('event', ({ event_type, target_agent, payload }) => {
    if (event_type !== 'task.assigned' || target_agent !== id) return;
    // An assignment may come twice (delivery is at least once); what comes while we leave is handed back below.
    if (held.has(payload.task.id) || stop.aborted) return;
    const done = perform(payload.task, plan, report, held)
      .catch(fail)
      .finally(() => working.delete(done));
    working.add(done);
  });

  await Promise.race([stopped, failed, keepAlive(beat, session_epoch, held)]);
  await ask(socket, 'ready', { capacity: 0 });
  await Promise.all(working);
  await handBack(client, id);
});
