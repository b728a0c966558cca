import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ClientRequest, request as httpRequest } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import Fastify, { type FastifyInstance } from 'fastify';
import pg from 'pg';
import type { BatchHandler } from '../../src/platform/database/batch.js';
import { Batcher } from '../../src/platform/database/batcher.js';
import { LOCK_LOG } from '../../src/platform/database/log-writer.js';
import { installAdmission } from '../../src/platform/http/admission.js';
import { sendRefusal } from '../../src/platform/http/send-refusal.js';
import { AgentsApi, type Answer, idsOf } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { writeEvents } from '../support/log-writes.js';
import { type PostgresProxy, startPostgresProxy } from '../support/postgres-proxy.js';
import { type ServerProcess, startServer } from '../support/processes.js';
import { TestSocket } from '../support/sockets.js';
import { until } from '../support/wait-for.js';

const SECRET = 'a-secret-of-the-tests';
const MEGABYTE = 1024 * 1024;

/** Commands that do nothing. */
const NOTHING: BatchHandler<string, string> = {
  name: 'nothing',
  order: 1,
  load: () => [],
  decide: (commands) => commands.map((command) => ({ done: command })),
};

describe('what a process holds', () => {
  let app: TestApp;
  let api: AgentsApi;

  beforeAll(async () => {
    app = await startApp();
    api = await AgentsApi.of(app);
  });
  afterAll(() => app.close());

  const post = (body: object = {}): ReturnType<AgentsApi['call']> =>
    api.call('POST', '/tasks', { type: 'bounded', ...body });

  it('is 64 MiB of commands at most, and goes on with the rest', async () => {
    const batcher = app.app.get(Batcher, { strict: false });
    const results = await Promise.allSettled(
      Array.from({ length: 70 }, (_, n) => batcher.submit(NOTHING, String(n), MEGABYTE)),
    );
    const refused = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason as unknown] : [],
    );
    expect(refused).toHaveLength(6);
    expect(refused[0]).toMatchObject({ code: 'SERVICE_UNAVAILABLE', details: { retry_after: 1 } });
    expect(await batcher.submit(NOTHING, 'later', MEGABYTE)).toBe('later');
  });

  it('is let go together when a statement takes too long: nobody waits while a batch is halved', async () => {
    const other = new pg.Client(app.database.connection.direct('holder'));
    await other.connect();
    await other.query(`BEGIN; ${LOCK_LOG.text}`);
    const posts = Array.from({ length: 20 }, () => post());
    const answers = Promise.all(posts);
    let statuses: number[] | undefined;
    void answers.then((all) => (statuses = all.map(({ status }) => status)));
    // As statement_timeout does after 30 s.
    let cancelled = 0;
    await until(async () => {
      const { rowCount } = await other.query(
        `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'parley lane' AND wait_event = 'advisory'`,
      );
      cancelled += rowCount ?? 0;
      return statuses;
    });
    expect(new Set(statuses)).toEqual(new Set([503]));
    expect(cancelled).toBeLessThan(10);
    await other.query('COMMIT');
    await other.end();
    expect((await post()).status).toBe(201);
  });
});

describe('what is read of the log at once', () => {
  const LARGE = 50;
  let app: TestApp;
  let other: TestApp;
  let api: AgentsApi;
  let token: string;
  let ids: string[];
  let live: TestSocket;

  beforeAll(async () => {
    app = await startApp();
    other = await startApp({ database: app.database });
    api = await AgentsApi.of(app);
    token = await api.client('p', 'events:read');
    live = await TestSocket.connect(other.url, { token });
    await live.subscribe(['#']);
    ids = await writeEvents(app, [{}, {}]);
    for (let round = 0; round < LARGE / 10; round += 1) {
      // Half of them cannot be compressed, the others can.
      const random = { payload: { text: randomBytes(MEGABYTE * 0.75).toString('base64') } };
      const same = { payload: { text: 'x'.repeat(MEGABYTE) } };
      ids.push(
        ...(await writeEvents(
          app,
          Array.from({ length: 10 }, (_, n) => (n % 2 === 0 ? random : same)),
        )),
      );
    }
    ids.push(...(await writeEvents(app, [{}, {}])));
  }, 120_000);
  afterAll(async () => {
    live.close();
    await other.close();
    await app.close();
  });

  it('is some megabytes, and pages lead through all of it', async () => {
    const seen: unknown[] = [];
    let after = '';
    let pages = 0;
    for (; seen.length < ids.length; pages += 1) {
      const { body } = await api.call('GET', `/events?limit=200${after}`, undefined, token);
      expect(idsOf({ body } as Answer).length).toBeGreaterThan(0);
      expect(JSON.stringify(body).length).toBeLessThan(18 * MEGABYTE);
      seen.push(...idsOf({ body } as Answer));
      after = `&after=${String(body['next_cursor'])}`;
    }
    expect(seen).toEqual(ids);
    expect(pages).toBeGreaterThan(2);
  });

  it('does not stop the replay of a socket, nor another process that reads what this one wrote', async () => {
    await live.has(ids.length);
    expect(live.ids).toEqual(ids);
    const { body } = await api.call('GET', '/events?limit=1', undefined, token);
    const replay = await TestSocket.connect(app.url, { token, after: body['next_cursor'] });
    await replay.subscribe(['#']);
    await until(() => replay.bodiesOf('replay_complete').length === 1, { within: 30_000 });
    expect(replay.ids).toEqual(ids.slice(1));
    replay.close();
  });
});

describe('a server whose database stands still', () => {
  let database: TestDatabase;
  let proxy: PostgresProxy;
  let server: ServerProcess;
  let token: string;

  beforeAll(async () => {
    database = await createDatabase();
    proxy = await startPostgresProxy(database.connection);
    const { host, port } = proxy.place;
    const url = new URL(database.url.replace(/@[^/]*/, `@${encodeURIComponent(host)}:${port}`));
    server = await startServer({
      env: { DATABASE_URL: url.href, PARLEY_ADMIN_CLIENT_SECRET: SECRET, LOG_LEVEL: 'info' },
    });
    const answer = await call('/auth/token', {
      grant_type: 'client_credentials',
      client_id: 'admin',
      client_secret: SECRET,
    });
    token = String(answer.body['access_token']);
  });
  afterAll(async () => {
    await server.kill('SIGKILL');
    await proxy.close();
    await database.drop();
  });

  async function call(path: string, body: object | string): Promise<Answer> {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await fetch(`${server.url}/api/v1${path}`, { method: 'POST', headers, body: text });
    // What the server answers, as a client without types sees it.
    const told = (await answer.json()) as Answer['body'];
    return { status: answer.status, headers: Object.fromEntries(answer.headers), body: told };
  }

  it('answers 2,000 posts and 150 MB with 503 in time, holds little of it, and is well right after', async () => {
    expect((await call('/tasks', { type: 'bounded' })).status).toBe(201);
    proxy.standStill();
    const small = JSON.stringify({ type: 'bounded' });
    const large = JSON.stringify({ type: 'bounded', input_data: { text: 'x'.repeat(MEGABYTE - 1_000) } });
    const bodies = [
      ...Array.from({ length: 150 }, () => large),
      ...Array.from({ length: 2_000 }, () => small),
    ];
    const answers = await Promise.all(bodies.map((body) => call('/tasks', body)));
    for (const { status, headers, body } of answers) {
      expect({ status, body }).toMatchObject({ status: 503 });
      expect(headers['retry-after']).toBe('1');
      expect(body).toMatchObject({ error: { code: 'SERVICE_UNAVAILABLE', details: { retry_after: 1 } } });
    }
    // Nothing waited beyond its deadline of 30 s, and what could not be held did not wait at all.
    const took = await until(() => {
      const all = [...server.output().matchAll(/"status":503,"ms":([\d.]+)/g)].map(([, ms]) => Number(ms));
      return all.length >= bodies.length && all;
    });
    expect(Math.max(...took)).toBeLessThan(32_000);
    expect(took.filter((ms) => ms < 10_000).length).toBeGreaterThanOrEqual(80);
    expect(peakMegabytes(server.pid)).toBeLessThan(600);

    proxy.goOn();
    await until(async () => (await call('/tasks', small)).status === 201, { within: 15_000 });
    const after = await Promise.all(Array.from({ length: 50 }, () => call('/tasks', small)));
    expect(new Set(after.map(({ status }) => status))).toEqual(new Set([201]));
  }, 120_000);
});

describe('the requests of a process', () => {
  let fastify: FastifyInstance;
  let url: string;
  let answer: () => void;
  let answered: Promise<void>;
  const open: ClientRequest[] = [];

  beforeEach(async () => {
    answered = new Promise((resolve) => (answer = resolve));
    fastify = Fastify({ forceCloseConnections: true });
    fastify.setErrorHandler((error, request, reply) => sendRefusal(error, request, reply));
    installAdmission(fastify, { requests: 4, waiting: 2, bodies: 1_000 });
    const wait = async (): Promise<object> => {
      await answered;
      return {};
    };
    fastify.get('/slow', wait);
    fastify.post('/slow', wait);
    fastify.get('/health/live', async () => ({}));
    url = await fastify.listen({ port: 0, host: '127.0.0.1' });
  });
  afterEach(async () => {
    for (const request of open.splice(0)) request.destroy();
    await fastify.close();
  });

  /** Asks; the status is known when it is answered. */
  function ask(
    path: string,
    body?: string,
    headers: Record<string, string> = {},
  ): { status: number; leave(): void } {
    const asked = { status: 0, leave: () => request.destroy() };
    const method = body === undefined ? 'GET' : 'POST';
    const request = httpRequest(url + path, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
    });
    request.on('error', () => {});
    request.on('response', (response) => {
      asked.status = response.statusCode ?? 0;
      response.resume();
    });
    if (body === undefined) request.end();
    else if (headers['transfer-encoding'] === undefined) request.end(body);
    else request.write(body);
    open.push(request);
    return asked;
  }

  /** The status of one request that is refused at once, or 0 for one that is let in. */
  async function refused(...call: Parameters<typeof ask>): Promise<number> {
    const asked = ask(...call);
    // What came after it on another connection is answered: so is it, if it is refused.
    await fetch(`${url}/health/live`);
    await fetch(`${url}/health/live`);
    return asked.status;
  }

  it('are so many at most, and the place of one whose client leaves is free again', async () => {
    const asked = [ask('/slow'), ask('/slow'), ask('/slow'), ask('/slow')];
    await until(async () => (await refused('/slow')) === 503);
    asked[0]?.leave();
    await until(async () => (await refused('/slow')) === 0);
    await until(async () => (await refused('/slow')) === 503);
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    answer();
    await until(() => asked.slice(1).every(({ status }) => status === 200));
    expect((await fetch(`${url}/slow`)).status).toBe(200);
  });

  it.each([
    ['in the query', () => ask('/slow?wait_ms=1000')],
    ['in the body', () => ask('/slow', '{"wait_ms":1000}')],
  ])('that wait are fewer, so that others find room beside them: %s', async (_where, wait) => {
    const waiting = [wait(), wait()];
    const third = wait();
    await until(() => [...waiting, third].filter(({ status }) => status === 503).length === 1);
    expect(await refused('/slow?wait_ms=0')).toBe(0);
    waiting[0]?.leave();
    await until(async () => (await refused('/slow?wait_ms=1')) === 0);
  });

  it('bring so many bytes at most; who does not say how many might bring as many as anybody may', async () => {
    ask('/slow', JSON.stringify('x'.repeat(898)));
    await until(async () => (await refused('/slow', JSON.stringify('x'.repeat(198)))) === 503);
    expect(await refused('/slow', '"x"', { 'transfer-encoding': 'chunked' })).toBe(503);
    expect(await refused('/slow', '"x"')).toBe(0);
    answer();
    await until(
      async () => (await fetch(`${url}/slow`, { method: 'POST', body: 'x'.repeat(900) })).status !== 503,
    );
  });
});

/** The most memory that the process ever had. */
function peakMegabytes(pid: number): number {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}
