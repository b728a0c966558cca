import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Envelope } from '../../src/events/index.js';
import { AgentsApi, idsOf, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { OpenSockets, TestSocket } from '../support/sockets.js';
import { until } from '../support/wait-for.js';

interface Item {
  readonly id: string;
  readonly attempt: number;
  readonly lease_token: string;
  readonly status: string;
}

describe('work over sockets', () => {
  let app: TestApp;
  let api: AgentsApi;
  const sockets = new OpenSockets();

  beforeAll(async () => {
    app = await startApp();
    api = await AgentsApi.of(app);
  });
  afterEach(() => sockets.closeAll());
  afterAll(() => app.close());

  const connect = (token: string, more: object = {}): Promise<TestSocket> =>
    sockets.connect(app.url, { token, ...more });

  async function task(member: Member, more: object = {}): Promise<string> {
    const { status, body } = await api.call('POST', '/tasks', { type: member.type, ...more });
    expect(status).toBe(201);
    return String(body['id']);
  }

  /** What a socket was pushed: assignments with a lease token. */
  const pushed = (socket: TestSocket): Item[] =>
    socket.events.map(itemOf).filter((item) => item.lease_token !== undefined);

  const statusOf = async (id: string): Promise<unknown> =>
    (await api.call('GET', `/tasks/${id}`)).body['status'];

  async function finish(socket: TestSocket, { id, lease_token }: Item): Promise<void> {
    await socket.do('report', { task_id: id, lease_token, status: 'in_progress', progress: 10 });
    const done = { task_id: id, lease_token, status: 'completed', output_data: { by: 'socket' } };
    expect(await socket.do('report', done)).toMatchObject({ id, status: 'completed' });
  }

  it('pushes a task with its lease to the agent’s own socket, and shows the token to nobody else', async () => {
    const worker = await api.member({ configuration: { max_concurrent_tasks: 5 } });
    const colleague = await api.member({ type: 'another' });
    const begin = (await api.call('GET', '/events?limit=1')).headers['x-event-cursor'];
    const socket = await connect(worker.token);
    const others = await Promise.all(
      [await app.adminToken(), colleague.token].map((token) => connect(token)),
    );
    // The agent hears its own event by a subscription too: it comes once, and is the one with the token.
    for (const one of [socket, ...others]) await one.subscribe(['task.#']);
    expect(await socket.ask('ready', { capacity: 5 })).toEqual({ ok: true, data: {} });
    const ids = [await task(worker), await task(worker)];

    await until(() => pushed(socket).length === 2);
    const items = pushed(socket);
    expect(items.map((item) => item.id)).toEqual(ids);
    const assigned = socket.events.filter((event) => event.event_type === 'task.assigned');
    expect(assigned).toHaveLength(2);
    expect(assigned[0]).toMatchObject({
      target_agent: worker.id,
      topic: `task.${worker.type}.assigned`,
      payload: {
        task_id: ids[0],
        attempt: 1,
        assigned_agent: worker.id,
        task: { id: ids[0], status: 'assigned' },
      },
    });
    for (const item of items) await finish(socket, item);

    for (const other of others) {
      await until(() => other.events.filter((event) => event.event_type === 'task.completed').length === 2);
    }
    const replay = await connect(await app.adminToken(), { after: begin });
    await replay.subscribe(['#']);
    await until(() => replay.bodiesOf('replay_complete').length === 1);
    const pages = await api.call('GET', '/events?limit=200');
    const history = await api.call('GET', `/tasks/${ids[0]}/history`);
    expect(history.status).toBe(200);
    const shown = JSON.stringify([
      others.map((other) => other.events),
      replay.events,
      pages.body,
      history.body,
      await api.query('SELECT * FROM events'),
      await api.query('SELECT * FROM tasks'),
    ]);
    expect(shown).toContain('task.assigned');
    expect(shown).not.toContain('lease_token');
    for (const item of items) expect(shown).not.toContain(item.lease_token);
  });

  it('takes `ready` as a standing limit: the next task comes when the first is reported', async () => {
    const worker = await api.member({ configuration: { max_concurrent_tasks: 5 } });
    const socket = await connect(worker.token);
    const ids = [await task(worker), await task(worker), await task(worker)];
    await socket.do('ready', { capacity: 1 });
    for (const [index, id] of ids.entries()) {
      await until(() => pushed(socket).length === index + 1);
      const item = pushed(socket)[index];
      expect(item?.id).toBe(id);
      await api.call('POST', `/agents/${worker.id}/heartbeat`, {}, worker.token);
      for (const later of ids.slice(index + 1)) expect(await statusOf(later)).toBe('queued');
      if (item !== undefined) await finish(socket, item);
    }
  });

  it('takes 0 as the end of it, and more as more', async () => {
    const worker = await api.member({ configuration: { max_concurrent_tasks: 5 } });
    const socket = await connect(worker.token);
    // Sent in one go: the last word counts.
    await Promise.all([socket.do('ready', { capacity: 5 }), socket.do('ready', { capacity: 0 })]);
    const ids = [await task(worker), await task(worker)];
    // The pull finds it: no push has taken it.
    expect((await socket.do('claim', {}))['items']).toMatchObject([{ id: ids[0], status: 'assigned' }]);
    expect(pushed(socket)).toEqual([]);
    await socket.do('ready', { capacity: 2 });
    await until(() => pushed(socket).length === 1);
    expect(pushed(socket)[0]?.id).toBe(ids[1]);
    for (const capacity of [-1, 'many', 1_001]) {
      expect(await socket.ask('ready', { capacity })).toMatchObject({ error: { code: 'VALIDATION_FAILED' } });
    }
  });

  it('sends again what the agent holds and has not started, when it comes back', async () => {
    const worker = await api.member({ configuration: { max_concurrent_tasks: 2 } });
    const ids = [await task(worker), await task(worker)];
    const first = await connect(worker.token);
    await first.do('ready', { capacity: 2 });
    await until(() => pushed(first).length === 2);
    const [started, unstarted] = pushed(first);
    await first.do('report', { task_id: ids[0], lease_token: started?.lease_token, status: 'in_progress' });
    first.close();
    const second = await connect(worker.token);
    await second.do('ready', { capacity: 2 });
    await until(() => pushed(second).length === 1);
    const [item] = pushed(second);
    expect(item).toEqual(unstarted);
    if (item !== undefined) await finish(second, item);
    expect(pushed(second)).toHaveLength(1);
  });

  it('claims: at once, after a wait, or nothing', async () => {
    const worker = await api.member();
    const socket = await connect(worker.token);
    expect(await socket.do('claim')).toEqual({ items: [] });
    const waiting = socket.do('claim', { max_tasks: 2, wait_ms: 20_000 });
    const id = await task(worker);
    const { items } = await waiting;
    expect(items).toMatchObject([{ id, attempt: 1, lease_token: expect.any(String) }]);
    await finish(socket, (items as Item[])[0] ?? missing());
    expect(await socket.ask('claim', { wait_ms: 99_999 })).toMatchObject({
      error: { code: 'VALIDATION_FAILED' },
    });
  });

  it('gives nothing to the claim of a socket that has gone away while it waited', async () => {
    const worker = await api.member();
    const socket = await connect(worker.token);
    const waiting = socket.ask('claim', { wait_ms: 20_000 }).catch(() => undefined);
    await connect(worker.token);
    socket.close();
    await waiting;
    const id = await task(worker);
    const other = await connect(worker.token);
    const { items } = await other.do('claim', { wait_ms: 20_000 });
    expect(items).toMatchObject([{ id }]);
  });

  it('judges reports as over HTTP', async () => {
    const worker = await api.member();
    const socket = await connect(worker.token);
    const id = await task(worker);
    await socket.do('claim');
    const report = (body: object): Promise<unknown> => socket.ask('report', { task_id: id, ...body });
    expect(await report({ status: 'completed', lease_token: 'no' })).toMatchObject({
      ok: false,
      error: { code: 'STALE_LEASE' },
    });
    expect(await report({})).toMatchObject({ error: { code: 'VALIDATION_FAILED' } });
    expect(await report({ priority: 'high' })).toMatchObject({ error: { code: 'FORBIDDEN' } });
    expect(await socket.ask('report', { task_id: 'nobody', status: 'completed' })).toMatchObject({
      error: { code: 'NOT_FOUND' },
    });
    expect(
      await report({ status: 'failed', error: { code: 'E', message: 'm', retryable: false } }),
    ).toMatchObject({ ok: true, data: { id, status: 'failed' } });
  });

  it('keeps an agent of one project out of the tasks of another', async () => {
    const insider = await api.member({ project_id: 'proj-a' });
    const outsider = await api.member({ project_id: 'proj-b', type: insider.type });
    const id = await task(insider, { project_id: 'proj-a' });
    const socket = await connect(outsider.token);
    await socket.do('ready', { capacity: 1 });
    expect(await socket.do('claim')).toEqual({ items: [] });
    for (const more of [{}, { project_id: 'proj-a' }]) {
      expect(await socket.ask('report', { task_id: id, status: 'in_progress', ...more })).toMatchObject({
        error: { code: 'NOT_FOUND' },
      });
    }
    expect(pushed(socket)).toEqual([]);
  });

  it('takes heartbeats, from agents only', async () => {
    const worker = await api.member();
    const socket = await connect(worker.token);
    const beat = await socket.do('heartbeat', { status: 'active' });
    const overHttp = await api.beat(worker.id, { status: 'active' }, worker.token);
    expect(Object.keys(beat)).toEqual(Object.keys(overHttp.body));
    const admin = await connect(await app.adminToken());
    for (const [name, body] of [
      ['heartbeat', {}],
      ['claim', {}],
      ['ready', { capacity: 1 }],
    ] as const) {
      expect(await admin.ask(name, body)).toMatchObject({ error: { code: 'FORBIDDEN' } });
    }
  });

  it('deals to many ready sockets, each task once', async () => {
    const type = api.unique('crowd');
    const members = await Promise.all(
      [1, 2, 3].map(() => api.member({ type, configuration: { max_concurrent_tasks: 4 } })),
    );
    const crowd = await Promise.all(members.map((member) => connect(member.token)));
    for (const socket of crowd) {
      const seen = new Set<string>();
      socket.socket.on('event', (envelope: Envelope) => {
        const item = itemOf(envelope);
        if (seen.has(item.id)) return;
        seen.add(item.id);
        void finish(socket, item);
      });
      await socket.do('ready', { capacity: 4 });
    }
    const tasks = Array.from({ length: 60 }, () => ({ type }));
    const created = await api.call('POST', '/tasks/batch', { tasks });
    expect(created.status).toBe(201);
    const done = (): Promise<unknown[]> =>
      api.query("SELECT id FROM tasks WHERE type = $1 AND status = 'completed' AND attempt = 1", [type]);
    await until(async () => (await done()).length === 60, { within: 30_000 });
    const dealt = crowd.flatMap(pushed).map((item) => item.id);
    expect(dealt).toHaveLength(60);
    expect(new Set<unknown>(dealt)).toEqual(
      new Set(idsOf(await api.call('GET', `/tasks?type=${type}&limit=200`))),
    );
  });
});

describe('a pushed task whose socket has disappeared', () => {
  it('is offered again when its lease has run out', async () => {
    const app = await startApp({ env: { HEARTBEAT_INTERVAL: '1' } });
    try {
      const api = await AgentsApi.of(app);
      const [lost, heir] = [await api.member({ type: 'heirloom' }), await api.member({ type: 'heirloom' })];
      const socket = await TestSocket.connect(app.url, { token: lost.token });
      await socket.do('ready', { capacity: 1 });
      const { body } = await api.call('POST', '/tasks', { type: 'heirloom' });
      await socket.has(1);
      socket.close();
      const next = await TestSocket.connect(app.url, { token: heir.token });
      const { items } = await next.do('claim', { wait_ms: 15_000 });
      expect(items).toMatchObject([{ id: body['id'], attempt: 2 }]);
      next.close();
    } finally {
      await app.close();
    }
  });
});

function itemOf({ payload }: Envelope): Item {
  // What the server sends, as a client without types sees it.
  return Object(payload['task']) as Item;
}

function missing(): never {
  throw new Error('nothing was claimed');
}
