import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { EventPages } from '../../src/events/event-pages.service.js';
import { Patience } from '../../src/platform/http/patience.js';
import { AgentsApi, type Answer, idsOf } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { writeEvents } from '../support/log-writes.js';
import { TestSocket } from '../support/sockets.js';
import { until } from '../support/wait-for.js';

describe('GET /events', () => {
  let app: TestApp;
  let api: AgentsApi;
  let reader: string;
  let projects = 0;

  beforeAll(async () => {
    app = await startApp();
    api = await AgentsApi.of(app);
    reader = await api.client('p', 'events:read');
  });
  afterAll(() => app.close());

  const read = (query: string, token = reader): Promise<Answer> =>
    api.call('GET', `/events?${query}`, undefined, token);
  const next = (answer: Answer): string => String(answer.body['next_cursor']);

  /** A project that is not used by another test, and a token that reads it. */
  async function project(): Promise<{ projectId: string; token: string }> {
    const projectId = `p${(projects += 1)}`;
    return { projectId, token: await api.client(projectId, 'events:read') };
  }

  it('pages through the log in order, and ends with an empty page and a cursor', async () => {
    const { projectId, token } = await project();
    const ids = await writeEvents(
      app,
      Array.from({ length: 25 }, () => ({ projectId })),
    );
    const seen: unknown[] = [];
    let page = await read('limit=10', token);
    const sizes: number[] = [];
    for (; idsOf(page).length > 0; page = await read(`limit=10&after=${next(page)}`, token)) {
      seen.push(...idsOf(page));
      sizes.push(idsOf(page).length);
    }
    expect(seen).toEqual(ids);
    expect(sizes).toEqual([10, 10, 5]);
    expect(page.body).toEqual({ items: [], next_cursor: expect.any(String) });
    const [later] = await writeEvents(app, [{ projectId }]);
    expect(idsOf(await read(`after=${next(page)}`, token))).toEqual([later]);
  });

  it('fills its pages, however little of the log matches', async () => {
    const { projectId, token } = await project();
    const rare: string[] = [];
    for (let i = 0; i < 3; i += 1) {
      await writeEvents(
        app,
        Array.from({ length: 1_500 }, () => ({ projectId, type: 'often' })),
      );
      rare.push(...(await writeEvents(app, [{ projectId, type: 'rare' }])));
    }
    const page = await read('topics=rare&limit=2', token);
    expect(idsOf(page)).toEqual(rare.slice(0, 2));
    expect(idsOf(await read(`topics=rare&limit=2&after=${next(page)}`, token))).toEqual(rare.slice(2));
  });

  it('answers with what it has and where to go on, before a look through a long log outlasts its request', async () => {
    const { projectId, token } = await project();
    const often = Array.from({ length: 2_500 }, () => ({ projectId, type: 'often' }));
    const [rare] = await writeEvents(app, [{ projectId, type: 'rare' }]);
    await writeEvents(app, often);
    const [last] = await writeEvents(app, [{ projectId, type: 'rare' }]);
    // Each look at the clock finds it twelve seconds later.
    let now = Date.now();
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => (now += 12_000));
    const selection = { projectId, patterns: ['rare'], filter: {} };
    const ask = { selection, after: undefined, limit: 10 };
    const pages = app.app.get(EventPages, { strict: false });
    const page = await pages.read({ ...ask, waitMs: 25_000 }, new Patience());
    clock.mockRestore();
    expect(page.items).toMatchObject([{ id: rare }]);
    expect(idsOf(await read(`topics=rare&after=${page.next_cursor}`, token))).toEqual([last]);
  });

  it('picks by topics and by correlation id', async () => {
    const { projectId, token } = await project();
    const ids = await writeEvents(app, [
      { projectId, type: 'task.completed', topic: 'task.coding.completed', correlationId: 'w1' },
      { projectId, type: 'task.completed', topic: 'task.testing.completed', correlationId: 'w2' },
      { projectId, type: 'workflow.started', correlationId: 'w1' },
      { projectId, type: 'agent.registered' },
    ]);
    const picked = async (query: string): Promise<unknown[]> => idsOf(await read(query, token));
    expect(await picked('topics=task.coding.*,workflow.%23')).toEqual([ids[0], ids[2]]);
    expect(await picked('topics=task.completed')).toEqual([ids[0], ids[1]]);
    expect(await picked('correlation_id=w1')).toEqual([ids[0], ids[2]]);
    expect(await picked('correlation_id=w1&topics=task.%23')).toEqual([ids[0]]);
    expect(await read('topics=a..b', token)).toMatchObject({
      status: 400,
      body: { error: { code: 'VALIDATION_FAILED' } },
    });
  });

  it('begins with a gap where the cursor is of another log or past the end, and waits for nothing then', async () => {
    const { projectId, token } = await project();
    const [id] = await writeEvents(app, [{ projectId }]);
    const foreign = Buffer.from('1.0123456789ab.5').toString('base64url');
    const page = await read(`after=${foreign}`, token);
    expect(page.body['items']).toEqual([
      { gap: { from: foreign, to: expect.any(String) } },
      expect.objectContaining({ id }),
    ]);
    const epoch = Buffer.from(next(page), 'base64url').toString().split('.')[1];
    const future = Buffer.from(`1.${epoch}.999999999`).toString('base64url');
    const late = await read(`after=${future}&wait_ms=20000`, token);
    expect(late.body['items']).toEqual([{ gap: { from: future, to: expect.any(String) } }]);
    expect(await read('after=nonsense', token)).toMatchObject({ status: 400 });
  });

  it('waits for the first event that matches, and for no other', async () => {
    const { projectId, token } = await project();
    const begin = next(await read('', token));
    const waiting = read(`after=${begin}&topics=wanted&correlation_id=w1&wait_ms=20000`, token);
    let answered = false;
    void waiting.then(() => (answered = true));
    await writeEvents(app, [
      { projectId, type: 'other', correlationId: 'w1' },
      { projectId: 'elsewhere', type: 'wanted', correlationId: 'w1' },
      { projectId, type: 'wanted', correlationId: 'w2' },
    ]);
    await read('', token);
    expect(answered).toBe(false);
    const [id] = await writeEvents(app, [{ projectId, type: 'wanted', correlationId: 'w1' }]);
    expect(idsOf(await waiting)).toEqual([id]);
  });

  it('answers with an empty page when the wait is over', async () => {
    const { token } = await project();
    const page = await read('wait_ms=50', token);
    expect(page.body).toEqual({ items: [], next_cursor: expect.any(String) });
  });

  it('shows a token its own project only, and the admin whichever it names', async () => {
    const { projectId, token } = await project();
    const other = await project();
    const [id] = await writeEvents(app, [{ projectId }, { projectId: other.projectId }]);
    expect(idsOf(await read('', token))).toEqual([id]);
    expect(await read(`project_id=${other.projectId}`, token)).toMatchObject({ status: 404 });
    const admin = await app.adminToken();
    expect(idsOf(await read(`project_id=${projectId}`, admin))).toEqual([id]);
    expect(await read('', await api.client('p', 'tasks:read'))).toMatchObject({ status: 403 });
  });

  it.each([1, 2, 3, 4, 5])(
    'and every other GET say from where a subscription misses nothing (%i)',
    async (n) => {
      const type = `snapshot-${n}`;
      const create = (more: object = {}): Promise<Answer> =>
        api.call('POST', '/tasks', { type, project_id: 'p', ...more });
      let stop = false;
      const writers = Array.from({ length: 3 }, async () => {
        while (!stop) await create();
      });
      const snapshot = await until(async () => {
        const page = await api.call('GET', `/tasks?type=${type}&limit=200`);
        return idsOf(page).length > 5 ? page : undefined;
      });
      const after = snapshot.headers['x-event-cursor'];
      const socket = await TestSocket.connect(app.url, { token: await app.adminToken(), after });
      await socket.subscribe([`task.${type}.created`]);
      await create({ id: `last-${n}` });
      stop = true;
      await Promise.all(writers);
      const last = (): boolean => socket.events.some(({ payload }) => payload['task_id'] === `last-${n}`);
      await until(last);
      socket.close();
      const known = new Set([...idsOf(snapshot), ...socket.events.map(({ payload }) => payload['task_id'])]);
      const created = await api.query<{ id: string }>(
        `SELECT aggregate_id AS id FROM events WHERE topic = $1
        AND pos <= (SELECT pos FROM events WHERE aggregate_id = $2 AND type = 'task.created')`,
        [`task.${type}.created`, `last-${n}`],
      );
      expect(created.filter(({ id }) => !known.has(id))).toEqual([]);
    },
  );
});
