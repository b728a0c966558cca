// An agent as a process of its own, for tests that kill and freeze it: node agent.process.mjs <json options>
// It claims over HTTP, works, reports, and goes on through every outage of the server. Each thing it did is a line of JSON.
import { setTimeout as sleep } from 'node:timers/promises';

const {
  url,
  id,
  token,
  workMs = 0,
  beatMs = 300,
  hold = false,
  maxTasks = 4,
} = JSON.parse(process.argv[2] ?? '{}');
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

async function call(path, body, method = 'POST') {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const request = { method, headers, body: JSON.stringify(body) };
  for (;;) {
    try {
      const answer = await fetch(`${url}/api/v1${path}`, request);
      if (answer.status !== 503) return { status: answer.status, body: await answer.json() };
    } catch {
      // The server is away; it comes back.
    }
    await sleep(50);
  }
}

async function beat() {
  for (;;) {
    await call(`/agents/${id}/heartbeat`, { status: 'active' });
    await sleep(beatMs);
  }
}

async function work(task) {
  const fence = { lease_token: task.lease_token };
  const started = await call(`/tasks/${task.id}`, { status: 'in_progress', ...fence }, 'PATCH');
  say({ started: task.id, attempt: task.attempt, status: started.status });
  if (hold) await new Promise((resolve) => process.once('SIGUSR1', resolve));
  await sleep(workMs);
  const done = await call(
    `/tasks/${task.id}`,
    {
      status: 'completed',
      output_data: { by: id },
      ...fence,
    },
    'PATCH',
  );
  say({ reported: task.id, attempt: task.attempt, status: done.status, code: done.body.error?.code });
}

void beat();
for (;;) {
  const { status, body } = await call(`/agents/${id}/claim`, { max_tasks: maxTasks, wait_ms: 2000 });
  if (status !== 200) say({ claim: status, code: body.error?.code });
  await Promise.all((body.items ?? []).map(work));
}
