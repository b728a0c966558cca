// What an agent in plain Node needs to work for Parley: credentials, calls, a socket, heartbeats, one task, a clean end.
// Copy it. It needs Node 20 and, for connect() only, `socket.io-client`.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { io } from 'socket.io-client';

const { env } = process;

/** Where the server is: PARLEY_URL, else this machine, at PORT. */
export const SERVER = (env.PARLEY_URL || `http://127.0.0.1:${env.PORT || 3000}`).replace(/\/+$/, '');

/** A refusal of the server: `code` is for programs, `message` for people (see "Errors" in /docs). */
export class ParleyError extends Error {
  constructor({ code, message, details }) {
    super(`${code}: ${message}`);
    this.code = code;
    this.details = details ?? {};
  }
}

/** Waits; shorter when `signal` says so. */
export const pause = (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {});

/**
 * Runs an agent until it is asked to stop: by Ctrl-C, by `kill`, or because the program that started it is gone. A second
 * Ctrl-C does not wait. @param agent `async (stop: AbortSignal)`: ends soon after `stop`, with its work done or handed back
 */
export async function run(agent) {
  const stop = new AbortController();
  for (const reason of ['SIGINT', 'SIGTERM', 'disconnect']) process.once(reason, () => stop.abort());
  try {
    await agent(stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) {
      console.error(error.message);
      process.exitCode = 1;
    }
  }
  process.exit();
}

/** The first admin's credentials: from the environment, or from the file that the server made when it first started. */
export function adminCredentials() {
  if (env.PARLEY_ADMIN_CLIENT_SECRET) {
    return {
      client_id: env.PARLEY_ADMIN_CLIENT_ID || 'admin',
      client_secret: env.PARLEY_ADMIN_CLIENT_SECRET,
    };
  }
  return JSON.parse(readFileSync(join(env.PARLEY_DATA_DIR || '.parley', 'admin.json'), 'utf8'));
}

/** Calls the API as one client. It fetches a token when it needs one, and another before that one expires. */
export class Client {
  #token;
  #renewAt = 0;

  /** @param credentials `{client_id, client_secret}` */
  constructor(credentials) {
    this.credentials = credentials;
  }

  async token() {
    if (Date.now() >= this.#renewAt) {
      const { client_id, client_secret } = this.credentials;
      const body = { grant_type: 'client_credentials', client_id, client_secret };
      const answer = await send('POST', '/auth/token', { body });
      this.#token = answer.access_token;
      this.#renewAt = Date.now() + (answer.expires_in - 30) * 1000;
    }
    return this.#token;
  }

  forgetToken() {
    this.#renewAt = 0;
  }

  /** @returns the answer's body. @throws ParleyError when it is refused */
  async call(method, path, body, signal) {
    try {
      return await send(method, path, { body, signal, token: await this.token() });
    } catch (error) {
      if (error.code !== 'AUTHENTICATION_FAILED' || this.#renewAt === 0) throw error;
      this.forgetToken(); // It was revoked, or the server has new keys: once more, with another.
      return send(method, path, { body, signal, token: await this.token() });
    }
  }
}

/**
 * Sends one request, again and again while the server is away or busy. That is safe with everything an agent sends: ids
 * are idempotency keys, a finished report may be repeated, and a claim whose answer was lost is offered again.
 */
async function send(method, path, { body, token, signal }) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  if (body !== undefined) headers['content-type'] = 'application/json';
  for (;;) {
    signal?.throwIfAborted();
    const limit = AbortSignal.timeout(35_000); // The server answers within 30 s.
    const options = { method, headers, signal: signal ? AbortSignal.any([signal, limit]) : limit };
    try {
      const answer = await fetch(`${SERVER}/api/v1${path}`, { ...options, body: JSON.stringify(body) });
      const text = await answer.text();
      const content = text === '' ? undefined : JSON.parse(text);
      if (answer.ok) return content;
      const refusal = new ParleyError(refusalIn(content));
      if (!mayPass(refusal)) throw refusal;
      await pause(Number(answer.headers.get('retry-after') ?? 1) * 1000, signal);
    } catch (error) {
      if (error instanceof ParleyError || signal?.aborted) throw error;
      await pause(1000, signal); // No server, or not ours: it may be starting.
    }
  }
}

/** The token endpoint speaks OAuth 2 (`{error, error_description}`), everything else Parley's envelope. */
const refusalIn = ({ error, error_description: message }) =>
  typeof error === 'string' ? { code: error, message } : error;

/** Refusals that a later try may not meet. */
const mayPass = ({ code }) =>
  ['SERVICE_UNAVAILABLE', 'RATE_LIMIT_EXCEEDED', 'temporarily_unavailable'].includes(code);

/**
 * Registers an agent, or begins a new session of one that is known: what its last session held is offered again. Only
 * for this it takes an admin (or a client with agents:write); the agent then works with credentials of its own.
 * An agent that lives long would keep those; these examples let a new secret be made at every start.
 * @returns `{client, session_epoch}`
 */
export async function register(profile, signal) {
  const admin = new Client(adminCredentials());
  const body = { ...profile, rotate_secret: true };
  const { credentials, session_epoch } = await admin.call('POST', '/agents/register', body, signal);
  return { client: new Client(credentials), session_epoch };
}

/** A socket that comes back by itself, with a fresh token. */
export function connect(client) {
  const auth = (give) =>
    void client.token().then(
      (token) => give({ token }),
      () => give({}),
    );
  const socket = io(SERVER, { path: '/ws', transports: ['websocket'], reconnectionDelayMax: 2000, auth });
  const again = () => setTimeout(() => socket.connect(), 1000);
  // Socket.IO itself tries again when a connection is lost, but not when the server ended or refused it.
  socket.on('disconnect', (reason) => reason === 'io server disconnect' && again());
  socket.on('connect_error', (error) => {
    const refusal = error.data?.error;
    if (refusal?.code === 'AUTHENTICATION_FAILED') client.forgetToken();
    if (refusal) console.error(refusal.message);
    if (!socket.active) again();
  });
  return socket;
}

/** Asks the server something over the socket; asks again when the connection was lost before the answer. */
export async function ask(socket, message, body) {
  for (;;) {
    const lost = { ok: false, error: { code: 'SERVICE_UNAVAILABLE' } };
    const answer = await socket
      .timeout(10_000)
      .emitWithAck(message, body)
      .catch(() => lost);
    if (answer.ok) return answer.data;
    if (!mayPass(answer.error)) throw new ParleyError(answer.error);
    await pause((answer.error.details?.retry_after ?? 1) * 1000);
  }
}

/**
 * Subscribes, and again after every reconnect, from where it was: nothing is missed, though an event may come twice.
 * @returns a promise: the first subscription stands
 */
export function subscribe(socket, { topics, filters }, onEvent) {
  let after;
  socket.on('event', (event) => {
    after = event.cursor;
    onEvent(event);
  });
  const begin = async () => {
    const { cursor } = await ask(socket, 'subscribe', { topics, filters, after });
    after ??= cursor;
  };
  return new Promise((resolve, reject) => socket.on('connect', () => void begin().then(resolve, reject)));
}

/**
 * Sends heartbeats for as long as the program runs; what the server has taken from us is dropped.
 * @param beat sends one: over HTTP or over the socket
 * @param held the tasks in hand: id → AbortController
 * @throws ParleyError STALE_SESSION when another program has registered as this agent
 */
export async function keepAlive(beat, session_epoch, held) {
  for (;;) {
    const status = held.size > 0 ? 'busy' : 'active';
    const answer = await beat({ status, session_epoch, task_ids: [...held.keys()] });
    for (const id of answer.revoked_tasks) held.get(id)?.abort();
    await pause(answer.next_heartbeat_in * 1000);
  }
}

/**
 * Does one task: reports each step that `work` yields, then what it returns, or the error that it throws. The lease token
 * goes with every report. If somebody else has the task by now (STALE_LEASE) or it was cancelled, the work is dropped.
 * @param work `async function* (task, signal)`: yields `{progress, output_data}`, returns the output
 * @param report sends one report: over HTTP or over the socket
 */
export async function perform(task, work, report, held) {
  const dropped = new AbortController();
  held.set(task.id, dropped);
  const tell = (what) => report({ task_id: task.id, lease_token: task.lease_token, ...what });
  try {
    const steps = work(task, dropped.signal);
    let step = await steps.next();
    while (!step.done && !dropped.signal.aborted) {
      await tell({ status: 'in_progress', ...step.value });
      step = await steps.next();
    }
    if (!dropped.signal.aborted) await tell({ status: 'completed', output_data: step.value });
  } catch (error) {
    if (dropped.signal.aborted || isGone(error)) return;
    const { code = 'AGENT_ERROR', message } = error;
    await tell({ status: 'failed', error: { code, message } }).catch((refusal) => {
      if (!isGone(refusal)) throw refusal;
    });
  } finally {
    held.delete(task.id);
  }
}

const isGone = ({ code }) => ['STALE_LEASE', 'INVALID_TRANSITION', 'NOT_FOUND'].includes(code);

/** Before leaving: hands back what was given to us and never begun (an answer may have been lost). Its attempt is refunded. */
export async function handBack(client, id) {
  const limit = AbortSignal.timeout(5000);
  const { items } = await client.call('GET', `/tasks?assigned_agent=${id}&status=assigned`, undefined, limit);
  for (const { id: task, attempt } of items) {
    await client.call('PATCH', `/tasks/${task}`, { status: 'queued', attempt }, limit);
  }
}
