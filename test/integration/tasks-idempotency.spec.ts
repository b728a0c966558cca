import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentsApi, codeOf, idsOf, type Answer } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { startServer } from '../support/processes.js';
import { until } from '../support/wait-for.js';

let database: TestDatabase;
let app: TestApp;
let other: TestApp;
let api: AgentsApi;
let admin: string;

beforeAll(async () => {
  database = await createDatabase();
  app = await startApp({ database });
  other = await startApp({ database });
  api = await AgentsApi.of(app);
  admin = await app.adminToken();
});
afterAll(async () => {
  await Promise.all([app.close(), other.close()]);
  await database.drop();
});

const keyed = async (
  path: string,
  key: string,
  body?: object,
  { token = admin, on = app }: { token?: string; on?: TestApp } = {},
): Promise<Answer> =>
  (await on.http('POST', `/api/v1${path}`, { token, body, headers: { 'idempotency-key': key } })) as Answer;

const replayed = (answer: Answer): boolean => answer.headers['idempotency-replayed'] === 'true';

async function tasksOf(type: string): Promise<unknown[]> {
  return idsOf(await api.call('GET', `/tasks?type=${type}&limit=200`));
}

describe('Idempotency-Key', () => {
  it('does a request once, and answers it again with the same answer', async () => {
    const type = api.unique('once');
    const key = api.unique('key');
    const first = await keyed('/tasks', key, { type });
    expect(first.status).toBe(201);
    expect(replayed(first)).toBe(false);
    for (const on of [app, other]) {
      const again = await keyed('/tasks', key, { type }, { on });
      expect(again).toMatchObject({ status: 201, body: first.body });
      expect(again.headers['location']).toBe(first.headers['location']);
      expect(replayed(again)).toBe(true);
    }
    expect(await tasksOf(type)).toEqual([first.body['id']]);
  });

  it('refuses another request under the same key', async () => {
    const key = api.unique('key');
    await keyed('/tasks', key, { type: 'this' });
    const refused = await keyed('/tasks', key, { type: 'that' });
    expect([refused.status, codeOf(refused)]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
    const elsewhere = await keyed('/tasks?project_id=elsewhere', key, { type: 'this' });
    expect(elsewhere.status).toBe(422);
  });

  it('is the caller’s own, per path, and must be printable', async () => {
    const key = api.unique('key');
    const type = api.unique('own');
    const token = await api.client('default', 'tasks:write');
    const answers = [
      await keyed('/tasks', key, { type }),
      await keyed('/tasks', key, { type }, { token }),
      await keyed('/tasks/batch', key, { tasks: [{ type }] }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(answers.some(replayed)).toBe(false);
    expect(await tasksOf(type)).toHaveLength(3);
    const bad = await keyed('/tasks', 'x'.repeat(256), { type });
    expect([bad.status, codeOf(bad)]).toEqual([400, 'VALIDATION_FAILED']);
  });

  it('keeps no refusal: the corrected request may use the key', async () => {
    const key = api.unique('key');
    const refused = await keyed('/tasks', key, { type: 'x', dependencies: ['nobody'] });
    expect(refused.status).toBe(412);
    expect((await keyed('/tasks', key, { type: 'x' })).status).toBe(201);
  });

  it('works where a list of tasks is created, all or none', async () => {
    const type = api.unique('list');
    const key = api.unique('key');
    const body = { tasks: [{ type }, { type }] };
    const first = await keyed('/tasks/batch', key, body);
    const again = await keyed('/tasks/batch', key, body, { on: other });
    expect(again.body).toEqual(first.body);
    expect(replayed(again)).toBe(true);
    expect(await tasksOf(type)).toHaveLength(2);
  });

  it('gives the credentials of a registration again to who sends the key again, and stores them for nobody else', async () => {
    const key = api.unique('key');
    const id = api.unique('agent');
    const first = await keyed('/agents/register', key, { id, type: id });
    const again = await keyed('/agents/register', key, { id, type: id }, { on: other });
    expect(again.status).toBe(201);
    expect(again.body['credentials']).toEqual(first.body['credentials']);
    expect(await api.get(id)).toMatchObject({ session_epoch: 1 });
    const { client_secret: secret } = first.body['credentials'] as { client_secret: string };
    const rows = await api.query<{ result: Buffer }>('SELECT result FROM idempotency_keys');
    expect(rows.some(({ result }) => result.includes(secret))).toBe(false);
    expect(rows.length).toBeGreaterThan(0);
  });

  it('makes one client, and shows its secret again', async () => {
    const key = api.unique('key');
    const body = { name: key, project_id: 'p', scope: 'tasks:read' };
    const first = await keyed('/auth/clients', key, body);
    const again = await keyed('/auth/clients', key, body);
    expect(again.body).toEqual(first.body);
    expect(
      await app.token(String(first.body['client_id']), String(first.body['client_secret'])),
    ).toBeTruthy();
  });

  it('claims once: the same tasks with the same lease tokens', async () => {
    const agent = await api.member();
    await keyed('/tasks', api.unique('key'), { type: agent.type });
    await keyed('/tasks', api.unique('key'), { type: agent.type });
    const key = api.unique('key');
    const path = `/agents/${agent.id}/claim`;
    const first = await keyed(path, key, { max_tasks: 1 }, { token: agent.token });
    const again = await keyed(path, key, { max_tasks: 1 }, { token: agent.token });
    expect(first.body['items']).toHaveLength(1);
    expect(again.body).toEqual(first.body);
    expect(replayed(again)).toBe(true);
  });

  it('answers a repeated long poll at once, though there is nothing more', async () => {
    const agent = await api.member();
    await keyed('/tasks', api.unique('key'), { type: agent.type });
    const key = api.unique('key');
    const poll = (name: string, waitMs: number): Promise<Answer> =>
      keyed(`/agents/${agent.id}/claim`, name, { max_tasks: 5, wait_ms: waitMs }, { token: agent.token });
    const first = await poll(key, 20_000);
    expect(first.body['items']).toHaveLength(1);
    expect((await poll(api.unique('key'), 0)).body['items']).toEqual([]);
    const began = Date.now();
    expect((await poll(key, 20_000)).body).toEqual(first.body);
    expect(Date.now() - began).toBeLessThan(15_000);
  });

  it('looks again when a claim found nothing', async () => {
    const agent = await api.member();
    const key = api.unique('key');
    const path = `/agents/${agent.id}/claim`;
    expect((await keyed(path, key, {}, { token: agent.token })).body['items']).toEqual([]);
    await keyed('/tasks', api.unique('key'), { type: agent.type });
    expect((await keyed(path, key, {}, { token: agent.token })).body['items']).toHaveLength(1);
  });

  it('takes several reports once, each with its own answer', async () => {
    const agent = await api.member();
    const posted = [
      await keyed('/tasks', 'r1', { type: agent.type }),
      await keyed('/tasks', 'r2', { type: agent.type }),
    ];
    await api.call('POST', `/agents/${agent.id}/claim`, { max_tasks: 2 }, agent.token);
    const reports = posted.map(({ body }) => ({ task_id: body['id'], status: 'in_progress', progress: 5 }));
    const path = `/agents/${agent.id}/reports`;
    const key = api.unique('key');
    const first = await keyed(path, key, { reports }, { token: agent.token });
    const again = await keyed(path, key, { reports }, { token: agent.token });
    expect(again.body).toEqual(first.body);
    const [row] = await api.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM events WHERE aggregate_id = $1 AND type = 'task.progress'`,
      [posted[0]?.body['id']],
    );
    expect(row?.n).toBe(1);
  });

  it('lets requests that come at once wait for the one that is first, over two servers', async () => {
    const type = api.unique('at-once');
    const key = api.unique('key');
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => keyed('/tasks', key, { type }, { on: n % 2 === 0 ? app : other })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ body }) => body['id'])).size).toBe(1);
    expect(answers.filter((answer) => !replayed(answer))).toHaveLength(1);
    expect(await tasksOf(type)).toHaveLength(1);
  });

  it('keeps what follows from a request out of it: the next stages, the pushes', async () => {
    const key = api.unique('key');
    const type = api.unique('stage');
    const agent = await api.member({ type });
    const stages = ['a', 'b'].map((name, n) => ({
      name,
      agent_type: type,
      dependencies: n === 0 ? [] : ['a'],
    }));
    const workflow = { name: key, stages };
    const first = await keyed('/workflows', key, workflow);
    expect(first.status).toBe(201);
    for (let done = 0; done < 2; done += 1) {
      const claim = await keyed(
        `/agents/${agent.id}/claim`,
        api.unique('key'),
        { wait_ms: 10_000 },
        { token: agent.token },
      );
      const reports = (claim.body['items'] as { id: string }[]).map(({ id }) => ({
        task_id: id,
        status: 'completed',
      }));
      expect(reports).toHaveLength(1);
      await keyed(`/agents/${agent.id}/reports`, api.unique('key'), { reports }, { token: agent.token });
    }
    await until(
      async () =>
        (await api.call('GET', `/workflows/${String(first.body['id'])}`)).body['status'] === 'completed',
    );
  });

  it('is forgotten after a day', async () => {
    const key = api.unique('key');
    await keyed('/tasks', key, { type: 'old' });
    await api.query(`UPDATE idempotency_keys SET created_at = created_at - interval '25 hours'`);
    const { IdempotencySweep } = await import('../../src/platform/idempotency/idempotency.sweep.js');
    await app.app.get(IdempotencySweep, { strict: false }).look();
    expect(await api.query('SELECT 1 FROM idempotency_keys')).toEqual([]);
  });
});

describe('a server that is killed', () => {
  it('has done what came under one key once: 100 parallel posts × 50 keys', async () => {
    const own = await createDatabase();
    const env = {
      DATABASE_URL: own.url,
      PARLEY_ADMIN_CLIENT_ID: 'admin',
      PARLEY_ADMIN_CLIENT_SECRET: 'the-admin-of-the-tests',
      RATE_LIMIT_PER_MINUTE: '0',
      LOG_LEVEL: 'fatal',
    };
    let server = await startServer({ env });
    const call = async (path: string, body: object, headers: Record<string, string>): Promise<Response> =>
      fetch(`${server.url}/api/v1${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      });
    const tokenAnswer = await call(
      '/auth/token',
      { grant_type: 'client_credentials', client_id: 'admin', client_secret: 'the-admin-of-the-tests' },
      {},
    );
    const { access_token: token } = (await tokenAnswer.json()) as { access_token: string };
    const answers = new Map<string, Set<string>>();
    let answered = 0;
    /** Tries until there is an answer, as a client would. */
    const post = async (key: string): Promise<void> => {
      for (;;) {
        try {
          const answer = await call(
            '/tasks',
            { type: 'killed', metadata: { key } },
            { authorization: `Bearer ${token}`, 'idempotency-key': key },
          );
          if (answer.status !== 201) throw new Error(String(answer.status));
          const { id } = (await answer.json()) as { id: string };
          answers.set(key, (answers.get(key) ?? new Set()).add(id));
          answered += 1;
          return;
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }
    };
    const kill = async (): Promise<void> => {
      await server.kill('SIGKILL');
      server = await startServer({ env });
    };
    for (let n = 0; n < 50; n += 1) {
      const before = answered;
      const all = Promise.all(Array.from({ length: 100 }, () => post(`key-${n}`)));
      if (n % 20 === 10) {
        await until(() => answered > before + 5);
        await kill();
      }
      await all;
    }
    expect(answers.size).toBe(50);
    expect([...answers.values()].filter((ids) => ids.size !== 1)).toEqual([]);
    const listed = await fetch(`${server.url}/api/v1/tasks?type=killed&limit=200`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(((await listed.json()) as { items: unknown[] }).items).toHaveLength(50);
    await server.kill();
    await own.drop();
  }, 180_000);
});
