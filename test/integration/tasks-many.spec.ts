import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentsApi, codeOf, idsOf, type Answer, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { until } from '../support/wait-for.js';

let database: TestDatabase;
let app: TestApp;
let api: AgentsApi;

beforeAll(async () => {
  database = await createDatabase();
  app = await startApp({ database });
  api = await AgentsApi.of(app);
});
afterAll(async () => {
  await app.close();
  await database.drop();
});

/** Tasks of an agent's type that have failed with an error of a code. */
async function failed(
  agent: Member,
  count: number,
  code: string,
  more: object = {},
  by = api,
): Promise<string[]> {
  const tasks = Array.from({ length: count }, () => ({
    type: agent.type,
    retry_policy: { max_attempts: 1 },
    ...more,
  }));
  await by.call('POST', '/tasks/batch', { tasks });
  const ids: string[] = [];
  while (ids.length < count) {
    const { body } = await by.call('POST', `/agents/${agent.id}/claim`, { max_tasks: 100 }, agent.token);
    const claimed = (body['items'] as { id: string }[]).map(({ id }) => id);
    const reports = claimed.map((id) => ({ task_id: id, status: 'failed', error: { code, message: 'no' } }));
    await by.call('POST', `/agents/${agent.id}/reports`, { reports }, agent.token);
    ids.push(...claimed);
  }
  return ids;
}

const worker = (by = api): Promise<Member> => by.member({ configuration: { max_concurrent_tasks: 200 } });

const isOver = (id: unknown, by = api): Promise<Answer> =>
  until(async () => {
    const answer = await by.call('GET', `/operations/${String(id)}`);
    return answer.body['status'] === 'completed' ? answer : false;
  });

const list = async (query: string): Promise<unknown[]> => idsOf(await api.call('GET', `/tasks?${query}`));

describe('the dead-letter list', () => {
  it('holds what failed, by the code of its error', async () => {
    const agent = await worker();
    const broken = await failed(agent, 3, 'BROKEN');
    const wrong = await failed(agent, 2, 'WRONG');
    expect(await list(`status=failed&type=${agent.type}`)).toEqual([...broken, ...wrong].toReversed());
    expect(await list(`error_code=WRONG&type=${agent.type}`)).toEqual(wrong.toReversed());
    expect(await list(`error_code=WRONG&status=completed&type=${agent.type}`)).toEqual([]);
  });
});

describe('POST /tasks/retry', () => {
  it('starts anew what a filter means, and tells how far it has come', async () => {
    const agent = await worker();
    const broken = await failed(agent, 3, 'BROKEN');
    const wrong = await failed(agent, 2, 'WRONG');
    const begun = await api.call('POST', '/tasks/retry', { type: agent.type, error_code: 'BROKEN' });
    expect(begun.status).toBe(202);
    expect(begun.headers['location']).toBe(`/api/v1/operations/${String(begun.body['id'])}`);
    expect(begun.body).toMatchObject({ kind: 'retry', status: 'running', matched: 3, done: 0, skipped: 0 });
    expect((await isOver(begun.body['id'])).body).toMatchObject({ done: 3, skipped: 0, matched: 3 });
    expect(await list(`status=queued&type=${agent.type}`)).toEqual(broken.toReversed());
    expect(await list(`status=failed&type=${agent.type}`)).toEqual(wrong.toReversed());
  });

  it('does them in batches, each once, whoever goes on with it', async () => {
    const agent = await worker();
    const ids = await failed(agent, 300, 'MANY');
    const second = await startApp({ database });
    const { body } = await api.call('POST', '/tasks/retry', { type: agent.type });
    expect((await isOver(body['id'])).body).toMatchObject({ done: 300, matched: 300 });
    await second.close();
    const rows = await api.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM events
       WHERE aggregate_id = ANY($1::text[]) AND type = 'task.queued' AND payload ->> 'reason' = 'retried'`,
      [ids],
    );
    expect(rows).toEqual([{ n: 300 }]);
  });

  it('goes on where it stood when its server is gone', async () => {
    const own = await createDatabase();
    // It serves and does no work of its own: what it is asked for waits.
    const front = await startApp({ database: own, env: { PARLEY_ROLE: 'api' } });
    const caller = await AgentsApi.of(front);
    await failed(await worker(caller), 200, 'LATER', {}, caller);
    const { body } = await caller.call('POST', '/tasks/retry', {});
    // As a server leaves it that has died after its first batch.
    const [half] = await caller.query<{ id: string; created_at: string }>(
      'SELECT t.id, t.created_at FROM tasks t ORDER BY t.created_at DESC, t.id DESC OFFSET 99 LIMIT 1',
    );
    await caller.query(
      'UPDATE task_operations SET done = 100, position_at = $2, position_id = $3 WHERE id = $1',
      [body['id'], half?.created_at, half?.id],
    );
    expect((await caller.call('GET', `/operations/${String(body['id'])}`)).body['status']).toBe('running');
    const back = await startApp({ database: own });
    expect((await isOver(body['id'], caller)).body).toMatchObject({ done: 200 });
    expect(idsOf(await caller.call('GET', '/tasks?status=queued&limit=200'))).toHaveLength(100);
    await Promise.all([front.close(), back.close()]);
    await own.drop();
  });

  it('leaves what cannot be started anew, and counts it', async () => {
    const agent = await worker();
    const [dependency = ''] = await failed(agent, 1, 'FIRST');
    await failed(agent, 1, 'SECOND', { dependencies: [dependency], on_dependency_failure: 'run' });
    const workflow = {
      name: 'stages',
      stages: [{ name: 'only', agent_type: agent.type, retry_policy: { max_attempts: 1 } }],
    };
    await api.call('POST', '/workflows', workflow);
    const { body: claimed } = await api.call('POST', `/agents/${agent.id}/claim`, {}, agent.token);
    const [stage] = claimed['items'] as { id: string }[];
    await api.call('PATCH', `/tasks/${stage?.id}`, { status: 'failed' }, agent.token);
    const { body } = await api.call('POST', '/tasks/retry', { type: agent.type });
    expect((await isOver(body['id'])).body).toMatchObject({ matched: 3, done: 2, skipped: 1 });
  });

  it('is begun once under an id of the caller’s, and is its project’s own', async () => {
    const id = api.unique('operation');
    const first = await api.call('POST', '/tasks/retry', { id, type: 'nothing' });
    const again = await api.call('POST', '/tasks/retry', { id, type: 'nothing' });
    expect([first.status, again.status]).toEqual([202, 200]);
    const other = await api.call('POST', '/tasks/retry', { id, type: 'something' });
    expect([other.status, codeOf(other)]).toEqual([409, 'CONFLICT']);
    const token = await api.client('elsewhere', 'tasks:read');
    expect((await api.call('GET', `/operations/${id}`, undefined, token)).status).toBe(404);
  });
});

describe('lists of many', () => {
  it('find a correlation id through its index, also where it is the task’s own', async () => {
    const { body: own } = await api.call('POST', '/tasks', { type: 'x' });
    const given = api.unique('story');
    await api.call('POST', '/tasks', { type: 'x', correlation_id: given });
    expect(await list(`correlation_id=${String(own['id'])}`)).toEqual([own['id']]);
    expect(await list(`correlation_id=${given}`)).toHaveLength(1);
  });

  it('look through so many tasks a page and no more; the next page goes on', async () => {
    const project = api.unique('large');
    await api.query(
      `INSERT INTO tasks (id, project_id, type, agent_type, status, priority, timeout, retry_policy, on_agent_unavailable,
         on_dependency_failure, correlation_id, route, rank, vtime, claimable, body_hash, seq, created_at, updated_at)
       SELECT 't' || n, $1, CASE WHEN n = 1 THEN 'rare' ELSE 'common' END, 'x', 'completed', 'normal', 60, '{}', 'queue',
         'fail', 't' || n, 0, 2, n, false, '', 1,
         '2026-01-01T00:00:00Z'::timestamptz + make_interval(secs => n), clock_timestamp()
       FROM generate_series(1, 25000) AS n`,
      [project],
    );
    const first = await api.call('GET', `/tasks?project_id=${project}&type=rare`);
    expect(first.body).toMatchObject({ items: [], next_cursor: expect.any(String) });
    const cursor = String(first.body['next_cursor']);
    const second = await api.call('GET', `/tasks?project_id=${project}&type=rare&cursor=${cursor}`);
    expect(second.body).toMatchObject({ items: [{ id: 't1' }], next_cursor: null });
    const ofAll = await api.call('GET', `/tasks?type=rare&limit=5`);
    expect(ofAll.body['next_cursor']).toEqual(expect.any(String));
  });

  it('of all projects are newest first, page by page', async () => {
    const type = api.unique('everywhere');
    const posted: unknown[] = [];
    for (const project of ['pa', 'pb', 'pa', 'pc', 'pb']) {
      posted.push((await api.call('POST', '/tasks', { type, project_id: project })).body['id']);
    }
    const seen: unknown[] = [];
    for (let cursor = ''; ;) {
      const page = await api.call('GET', `/tasks?limit=2&created_after=2026-01-01T09:00:00Z${cursor}`);
      seen.push(
        ...(page.body['items'] as { id: string; type: string }[])
          .filter((one) => one.type === type)
          .map(({ id }) => id),
      );
      const { next_cursor: next } = page.body;
      if (typeof next !== 'string') break;
      cursor = `&cursor=${next}`;
      if (seen.length === posted.length) break;
    }
    expect(seen).toEqual(posted.toReversed());
  });
});

describe('tasks that are posted together', () => {
  it('may depend on each other in any order, and are answered as listed', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => api.unique(name));
    const tasks = [
      { id: c, type: 'x', dependencies: [a, b] },
      { id: b, type: 'x', dependencies: [a] },
      { id: a, type: 'x' },
    ];
    const answer = await api.call('POST', '/tasks/batch', { tasks });
    expect(answer.status).toBe(201);
    expect(answer.body['items']).toMatchObject([
      { id: c, status: 'blocked' },
      { id: b, status: 'blocked' },
      { id: a, status: 'queued' },
    ]);
  });

  it('may not wait for each other in a circle', async () => {
    const [a, b] = ['a', 'b'].map((name) => api.unique(name));
    const tasks = [
      { id: a, type: 'x', dependencies: [b] },
      { id: b, type: 'x', dependencies: [a] },
    ];
    const answer = await api.call('POST', '/tasks/batch', { tasks });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'VALIDATION_FAILED']);
  });
});
