// An agent that lives through everything: node agent.process.mjs <options as JSON; AgentOptions in fleet.ts>
//
// It registers, proves that it is alive, gets work (claims over HTTP, or is pushed it over a socket), starts and completes
// it, and repeats whatever was not answered until it is, with the same attempt and lease token. By the chances it is given
// it dies in the middle, or freezes beyond its lease and then reports as if nothing had happened. All goes into its history.
import { setTimeout as sleep } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { randomFrom } from './random.mjs';
import { Recorder } from './recorder.mjs';

const options = JSON.parse(process.argv[2] ?? '{}');
const { urls, id, type, projectId, token, life, capacity } = options;
const random = randomFrom(options.seed);
const record = new Recorder(options.history, `${id}.${life}`);
const anyUrl = () => urls[Math.floor(random() * urls.length)];

const AWAY = { status: 0, body: {} };
/** Nobody knows what became of it, or nothing yet: the same again. */
const isOpen = ({ status }) => status === 0 || status === 503;

/** One try. Over HTTP every call may go to another server. */
async function overHttp(method, path, body) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  try {
    const request = { method, headers, body: JSON.stringify(body), signal: AbortSignal.timeout(35_000) };
    const answer = await fetch(`${anyUrl()}/api/v1${path}`, request);
    return { status: answer.status, body: await answer.json() };
  } catch {
    return AWAY;
  }
}

/** The agent's connection, if it has one: it comes back whenever it is cut. */
let socket;
async function overSocket(name, body) {
  if (!socket?.connected) return AWAY;
  try {
    const { ok, data, error } = await socket.timeout(5_000).emitWithAck(name, body);
    return ok ? { status: 200, body: data } : { status: STATUS[error.code] ?? 500, body: { error } };
  } catch {
    return AWAY;
  }
}
const STATUS = {
  STALE_LEASE: 409,
  STALE_SESSION: 409,
  INVALID_TRANSITION: 409,
  CONFLICT: 409,
  NOT_FOUND: 404,
  FORBIDDEN: 403,
  SERVICE_UNAVAILABLE: 503,
};

/** Repeats a request until it is answered, at growing pauses; each try is a line of the history, and so is its answer. */
async function insist(what, facts, tryOnce) {
  for (let pause = 50; ; pause = Math.min(2 * pause, 500)) {
    // Without a connection nothing is sent.
    while (options.socket && what !== 'register' && !socket?.connected) await sleep(20);
    const call = record.sent(what, facts);
    const answer = await tryOnce();
    if (answer.status !== 0) {
      const items = answer.body.items?.map((item) => ({ task: item.id, attempt: item.attempt }));
      record.answered(call, answer.status, { code: answer.body.error?.code, items });
    }
    if (!isOpen(answer)) return answer;
    await sleep(pause);
  }
}

const register = () =>
  insist('register', {}, () =>
    overHttp('POST', '/agents/register', {
      id,
      type,
      project_id: projectId,
      configuration: { max_concurrent_tasks: capacity },
    }),
  );

async function beat() {
  for (;;) {
    const body = { status: 'active' };
    await insist('heartbeat', {}, () =>
      options.socket ? overSocket('heartbeat', body) : overHttp('POST', `/agents/${id}/heartbeat`, body),
    );
    await sleep(options.beatMs);
  }
}

function report(what, task, body) {
  const proof = { lease_token: task.lease_token, attempt: task.attempt };
  return insist(what, { task: task.id, attempt: task.attempt }, () =>
    options.socket
      ? overSocket('report', { task_id: task.id, ...body, ...proof })
      : overHttp('PATCH', `/tasks/${task.id}`, { ...body, ...proof }),
  );
}

const working = new Set();
async function work(task) {
  // A push may be repeated; an attempt is worked on once.
  const key = `${task.id} ${task.attempt}`;
  if (working.has(key)) return;
  working.add(key);

  const fate = random();
  const dies = fate < options.crashes ? Math.floor(random() * 3) : -1;
  const freezes = dies < 0 && fate < options.crashes + options.pauses;
  if (dies === 0) crash();
  await report('start', task, { status: 'in_progress' });
  process.send({ started: task.id });
  if (dies === 1) crash();
  if (options.holds) await new Promise((resolve) => process.once('SIGUSR1', resolve));
  await sleep(options.workMs * random() * 2);
  if (freezes) freeze();
  if (dies === 2) setImmediate(crash);
  const luck = random();
  if (luck < options.failures) {
    const error = { code: 'UNLUCKY', message: 'It was not to be.', retryable: luck < options.failures / 2 };
    await report('fail', task, { status: 'failed', error });
    return;
  }
  const { status } = await report('complete', task, {
    status: 'completed',
    output_data: { by: id, attempt: task.attempt },
  });
  process.send({ reported: task.id, status });
}

function crash() {
  record.note('crash', {});
  process.exit(70);
}

/** Stops as a whole, in the middle of a line; the driver continues it when its lease is long over. */
function freeze() {
  process.send({ freezing: true });
  process.kill(process.pid, 'SIGSTOP');
}

async function pull() {
  let held = 0;
  let room = () => {};
  for (;;) {
    const body = { max_tasks: capacity, wait_ms: 2_000 };
    const claim = () => overHttp('POST', `/agents/${id}/claim`, body);
    const { body: answer } = await insist('claim', {}, claim);
    for (const task of answer.items ?? []) {
      held += 1;
      void work(task).then(() => {
        held -= 1;
        room();
      });
    }
    if (held >= capacity) await new Promise((resolve) => (room = resolve));
    else if (answer.items === undefined) await sleep(100);
  }
}

async function bePushed() {
  for (;;) {
    socket = io(anyUrl(), {
      path: '/ws',
      auth: { token },
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
    });
    const over = new Promise((resolve) => {
      socket.once('disconnect', resolve);
      socket.once('connect_error', resolve);
    });
    socket.on('event', ({ event_type: name, payload }) => {
      if (name !== 'task.assigned' || payload.task === undefined) return;
      record.note('pushed', { task: payload.task.id, attempt: payload.task.attempt });
      void work(payload.task);
    });
    socket.once('connect', () => void insistOn(socket, { capacity }));
    await over;
    socket.close();
    await sleep(50);
  }
}

/** Says `ready` until this connection has heard it, or is over. */
async function insistOn(connection, body) {
  while (connection === socket && connection.connected) {
    if (!isOpen(await overSocket('ready', body))) return;
    await sleep(50);
  }
}

// What the driver no longer reads must not end the agent in another way than by its options.
process.on('disconnect', () => process.exit(0));
await register();
process.send({ registered: true });
void beat();
await (options.socket ? bePushed() : pull());
