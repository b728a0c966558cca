// An agent that fails: the first attempt at each task ends with an error, the next succeeds. It pulls, like pull-agent.mjs.
// Usage: node examples/flaky-agent.mjs [id] [project]
import { handBack, keepAlive, pause, perform, register, run } from './parley.mjs';

const [, , id = 'coder', project_id = 'default'] = process.argv;
const profile = {
  id,
  project_id,
  type: 'code_generation',
  name: 'Code generator',
  version: '1.0.0',
  capabilities: ['javascript', 'python', 'react'],
  configuration: { max_concurrent_tasks: 1 },
};

/** What is thrown is reported: `code` and `message` are the task's error, and its retry policy decides what comes next. */
const generator = (client) =>
  async function* generate(task, signal) {
    yield { progress: 20, output_data: { current_operation: 'generating_models' } };
    await pause(300, signal);
    const { attempts } = await client.call('GET', `/tasks/${task.id}/history`);
    if (!attempts.some(({ outcome }) => outcome === 'failed')) {
      throw Object.assign(new Error('unexpected token (on purpose)'), { code: 'COMPILE_ERROR' });
    }
    yield { progress: 70, output_data: { current_operation: 'generating_api_routes' } };
    await pause(300, signal);
    return { files_generated: 12 };
  };

await run(async (stop) => {
  const { client, session_epoch } = await register(profile, stop);
  const generate = generator(client);
  const held = new Map();
  const beat = (body) => client.call('POST', `/agents/${id}/heartbeat`, body);
  const report = ({ task_id, ...body }) => client.call('PATCH', `/tasks/${task_id}`, body);

  const pull = async () => {
    while (!stop.aborted) {
      const body = { max_tasks: 1, wait_ms: 20_000, session_epoch };
      const { items } = await client.call('POST', `/agents/${id}/claim`, body, stop);
      for (const task of items) await perform(task, generate, report, held);
    }
  };

  await Promise.race([pull(), keepAlive(beat, session_epoch, held)]).catch((error) => {
    if (!stop.aborted) throw error;
  });
  await handBack(client, id);
});
