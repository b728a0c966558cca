// `npm run demo`: on a running server, three agents execute the "Full Stack App Generation" workflow, and every event is
// shown as it comes. Ends with 0 only if the workflow completed and the stage that fails once took two attempts.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { adminCredentials, Client, connect, SERVER, subscribe } from './parley.mjs';
import { eventLine, seconds, summary } from './demo-view.mjs';

const LIMIT_MS = 50_000;
const PROJECT = 'proj-456';
const RUN = randomUUID().slice(0, 8);
const AGENTS = { 'pull-agent.mjs': 'analyst', 'push-agent.mjs': 'architect', 'flaky-agent.mjs': 'coder' };
const RETRIED = 'code_generation';

/** The id is new each time: it is an idempotency key, and the same one would only show the first run again. */
const WORKFLOW = {
  id: `workflow-${RUN}`,
  project_id: PROJECT,
  name: 'Full Stack App Generation',
  stages: [
    {
      name: 'requirement_analysis',
      agent_type: 'requirement_analysis',
      dependencies: [],
      timeout: 120,
    },
    {
      name: 'architecture_planning',
      agent_type: 'architecture_planning',
      dependencies: ['requirement_analysis'],
      timeout: 180,
    },
    {
      name: 'code_generation',
      agent_type: 'code_generation',
      dependencies: ['architecture_planning'],
      timeout: 600,
    },
  ],
  configuration: {
    parallel_execution: false,
    failure_strategy: 'stop_on_error',
  },
};

/** Ends the demo with one line that says what to do. */
class Trouble extends Error {}

async function admin() {
  await fetch(`${SERVER}/health/ready`, { signal: AbortSignal.timeout(5000) }).catch(() => {
    throw new Trouble(
      `There is no Parley at ${SERVER}: start it with "npm start", or set PARLEY_URL or PORT.`,
    );
  });
  let client;
  try {
    client = new Client(adminCredentials());
    await client.token();
  } catch ({ message }) {
    const remedy = 'set PARLEY_ADMIN_CLIENT_ID and _SECRET, or PARLEY_DATA_DIR, to what the server has.';
    throw new Trouble(`No access as admin (${message}): ${remedy}`);
  }
  return client;
}

/** Shows this run's events as they come. `until(test)` resolves with the first one, from now on, that passes the test. */
function watch(client) {
  const socket = connect(client);
  const waiting = new Set();
  let shown = 0;
  let stagesDone = 0;
  const interest = { topics: ['workflow.#', 'task.#', 'agent.#'], filters: { project_id: PROJECT } };
  const subscribed = subscribe(socket, interest, (event) => {
    const { event_type, correlation_id, payload } = event;
    // Another demo may be running in the same project.
    if (correlation_id !== WORKFLOW.id && !payload.agent_id?.endsWith(`-${RUN}`)) return;
    if (event_type === 'workflow.stage_completed') stagesDone += 1;
    console.log(eventLine(event, `${stagesDone} of ${WORKFLOW.stages.length} stages`));
    shown += 1;
    for (const one of waiting) if (one.test(event)) one.resolve(event);
  });
  return {
    subscribed,
    until: (test) => new Promise((resolve) => waiting.add({ test, resolve })),
    shown: () => shown,
    close: () => socket.disconnect(),
  };
}

/** Starts an agent as a program of its own. `ended` resolves with what it said last; it ends when this program does. */
function start(file, name) {
  const id = `${name}-${RUN}`;
  const program = join(import.meta.dirname, file);
  const child = spawn(process.execPath, [program, id, PROJECT], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let words = '';
  child.stderr.on('data', (text) => (words += text));
  const ended = new Promise((resolve) => child.once('close', () => resolve(words.trim())));
  return { id, child, ended };
}

async function end(agents, client) {
  for (const { child } of agents) child.kill('SIGTERM');
  const late = setTimeout(() => agents.forEach(({ child }) => child.kill('SIGKILL')), 8000);
  await Promise.all(agents.map(({ ended }) => ended));
  clearTimeout(late);
  const remove = ({ id }) => client.call('DELETE', `/agents/${id}`, undefined, AbortSignal.timeout(5000));
  await Promise.allSettled(agents.map(remove));
}

async function play(client, agents, view) {
  const joined = ({ id }) =>
    view.until(({ event_type, payload }) => event_type === 'agent.registered' && payload.agent_id === id);
  await Promise.all(agents.map(joined));
  const ended = view.until(({ event_type }) => /^workflow\.(completed|failed|cancelled)$/.test(event_type));
  await client.call('POST', '/workflows', WORKFLOW);
  await ended;
}

async function sumUp(client, shown) {
  const workflow = await client.call('GET', `/workflows/${WORKFLOW.id}`);
  const attempts = new Map();
  for (const { name, task_id } of workflow.stages) {
    const history =
      task_id === null ? { attempts: [] } : await client.call('GET', `/tasks/${task_id}/history`);
    // What was handed back was no try.
    attempts.set(
      name,
      history.attempts.filter(({ outcome }) => outcome !== 'handed_back'),
    );
  }
  const tries = [...attempts.values()].flat().length;
  const took = seconds(workflow.created_at, workflow.ended_at);
  console.log(`\n${summary(workflow, attempts)}\n`);
  if (workflow.status !== 'completed')
    throw new Trouble(`The workflow ${workflow.status}: ${workflow.error?.message}`);
  if (attempts.get(RETRIED).length !== 2) {
    throw new Trouble(
      `Stage ${RETRIED} should have taken 2 attempts: do other agents of that type serve ${PROJECT}?`,
    );
  }
  console.log(`${workflow.name}: completed in ${took}, ${tries} attempts, ${shown} events.`);
}

const agents = [];
let client;
let view;
const broken = new Promise((_, reject) => {
  setTimeout(
    () => reject(new Trouble(`The workflow has not ended within ${LIMIT_MS / 1000} s.`)),
    LIMIT_MS,
  ).unref();
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.on(signal, () => reject(new Trouble(`Ended by ${signal}.`)));
});
try {
  client = await Promise.race([admin(), broken]);
  console.log(`${WORKFLOW.name} (${WORKFLOW.id}) on ${SERVER}\n`);
  view = watch(client);
  await Promise.race([view.subscribed, broken]);
  agents.push(...Object.entries(AGENTS).map(([file, name]) => start(file, name)));
  const lost = agents.map(({ id, ended }) =>
    ended.then((words) => {
      throw new Trouble(`Agent ${id} ended: ${words || 'it gave no reason'}`);
    }),
  );
  await Promise.race([play(client, agents, view), broken, ...lost]);
  await sumUp(client, view.shown());
} catch (error) {
  process.exitCode = 1;
  console.error(error instanceof Trouble ? error.message : error);
} finally {
  view?.close();
  if (agents.length > 0) await end(agents, client);
}
process.exit();
