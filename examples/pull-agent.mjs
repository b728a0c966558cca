// An agent that pulls: it asks for work over HTTP and waits for it. It needs nothing but fetch.
// Usage: node examples/pull-agent.mjs [id] [project]
import { handBack, keepAlive, pause, perform, register, run } from './parley.mjs';

const [, , id = 'analyst', project_id = 'default'] = process.argv;
const profile = {
  id,
  project_id,
  type: 'requirement_analysis',
  name: 'Requirement analyst',
  version: '1.0.0',
  capabilities: ['interviews', 'user-stories'],
  configuration: { max_concurrent_tasks: 1 },
};

/** The work itself: yields how far it is, returns the output. Yours goes here. */
async function* analyse(task, signal) {
  const steps = ['reading_brief', 'asking_users', 'writing_stories'];
  for (const [done, current_operation] of steps.entries()) {
    yield {
      progress: Math.round((100 * (done + 1)) / (steps.length + 1)),
      output_data: { current_operation },
    };
    await pause(300, signal);
  }
  return { requirements: ['sign in', 'list products', 'place an order'] };
}

await run(async (stop) => {
  const { client, session_epoch } = await register(profile, stop);
  const held = new Map();
  const beat = (body) => client.call('POST', `/agents/${id}/heartbeat`, body);
  const report = ({ task_id, ...body }) => client.call('PATCH', `/tasks/${task_id}`, body);

  const pull = async () => {
    while (!stop.aborted) {
      // Answers at once when there is work, else when some comes, or with nothing after 20 s.
      const body = { max_tasks: 1, wait_ms: 20_000, session_epoch };
      const { items } = await client.call('POST', `/agents/${id}/claim`, body, stop);
      for (const task of items) await perform(task, analyse, report, held);
    }
  };

  await Promise.race([pull(), keepAlive(beat, session_epoch, held)]).catch((error) => {
    if (!stop.aborted) throw error; // A claim that `stop` broke off has brought nothing.
  });
  await handBack(client, id);
});
