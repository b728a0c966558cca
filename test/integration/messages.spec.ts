import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EventLog, type Envelope } from '../../src/events/index.js';
import { AgentsApi, type Answer, codeOf, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { assertKnownEvents } from '../support/known-events.js';
import { TestSocket } from '../support/sockets.js';
import { until } from '../support/wait-for.js';
import { MESSAGE } from '../support/seed.js';

let app: TestApp;
let api: AgentsApi;

beforeAll(async () => {
  app = await startApp();
  api = await AgentsApi.of(app);
});
afterAll(async () => {
  await assertKnownEvents(app);
  await app.close();
});

const send = (body: object, token?: string): Promise<Answer> => api.call('POST', '/messages', body, token);

const refused = (answer: Answer): unknown[] => [answer.status, codeOf(answer)];

/** Ids and types of what a mailbox holds, in order. */
async function mailboxOf(project: string, agentId: string): Promise<{ id: string; type: string }[]> {
  const log = app.app.get(EventLog, { strict: false });
  const { events } = await log.page({ mailbox: `${project} ${agentId}` }, 0, await log.end(), 100);
  return events.map(({ id, type }) => ({ id, type }));
}

/** Its target has acknowledged all that it has. */
async function acknowledgeAll(agentId: string): Promise<void> {
  await api.query(`UPDATE mailboxes SET acked_pos = (SELECT max(pos) FROM events) WHERE agent_id = $1`, [
    agentId,
  ]);
}

const idOf = (answer: Answer): string => String(answer.body['id']);

describe('a message', () => {
  let sender: Member;
  let target: Member;

  beforeAll(async () => {
    sender = await api.member({ project_id: 'p' });
    target = await api.member({ project_id: 'p' });
  });

  it('of the seed is taken as printed, and answered with the envelope', async () => {
    await api.register({ id: 'agent-001', type: 'code_generation' });
    await api.register({ id: 'orchestrator-001', type: 'orchestrator' });
    const before = Date.now() - 1_000;
    const { status, body } = await send(MESSAGE);
    expect(status).toBe(202);
    expect(body).toEqual({
      ...MESSAGE,
      timestamp: expect.any(String),
      topic: 'task.progress',
      project_id: 'default',
      seq: 1,
      cursor: expect.any(String),
    });
    expect(Date.parse(String(body['timestamp']))).toBeGreaterThan(before);
    expect(await mailboxOf('*', 'orchestrator-001')).toEqual([{ id: 'msg-001', type: 'task.progress' }]);
    const again = await send({ ...MESSAGE, timestamp: '2025-01-15T12:00:01Z' });
    expect([again.status, again.body]).toEqual([200, body]);
    expect(refused(await send({ ...MESSAGE, payload: {} }))).toEqual([409, 'CONFLICT']);
  });

  it('needs nothing but its target', async () => {
    const { body } = await send({ target_agent: target.id }, sender.token);
    expect(body).toMatchObject({
      event_type: 'message.sent',
      source_agent: sender.id,
      target_agent: target.id,
      correlation_id: body['id'],
      payload: {},
    });
    const headers = { 'x-correlation-id': 'from-the-header' };
    const options = { token: sender.token, body: { target_agent: target.id }, headers };
    const answer = await app.http('POST', '/api/v1/messages', options);
    expect(answer.body).toMatchObject({ correlation_id: 'from-the-header' });
  });

  it('is sent once, however often it is posted at a time', async () => {
    const id = api.unique('once');
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => send({ id, target_agent: target.id }, sender.token)),
    );
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(49);
    expect((await mailboxOf('p', target.id)).filter((one) => one.id === id)).toHaveLength(1);
  });

  it('is done once under an Idempotency-Key', async () => {
    const options = {
      token: sender.token,
      body: { target_agent: target.id },
      headers: { 'idempotency-key': 'k' },
    };
    const first = await app.http('POST', '/api/v1/messages', options);
    const again = await app.http('POST', '/api/v1/messages', options);
    expect([again.status, again.body]).toEqual([202, first.body]);
    expect(again.headers['idempotency-replayed']).toBe('true');
  });

  it('is in the mailbox of its target, and nowhere else, whatever it calls itself', async () => {
    const token = await api.client('p', 'events:read tasks:read tasks:write');
    const { body: task } = await api.call('POST', '/tasks', { type: 'x' }, token);
    const watcher = await TestSocket.connect(app.url, { token });
    try {
      await watcher.subscribe(['#', 'task.*.completed', 'task.completed']);
      const id = String(task['id']);
      const message = { id, event_type: 'task.completed', target_agent: target.id, payload: { task_id: id } };
      expect((await send(message, sender.token)).status).toBe(202);
      await send({ target_agent: target.id, event_type: 'system.alert' }, sender.token);
      // Whatever was told of them is told before this.
      const { body: later } = await api.call('POST', '/publications', {
        topic: 'later',
        data: {},
        project_id: 'p',
      });
      await until(() => watcher.ids.includes(String(later['id'])));
      expect(watcher.ids).toEqual([later['id']]);
      const pages = await api.call('GET', '/events?limit=200', undefined, token);
      const types = (pages.body['items'] as Envelope[]).map((event) => event.event_type);
      expect(types).not.toContain('task.completed');
      const history = await api.call('GET', `/tasks/${id}/history`, undefined, token);
      expect((history.body['events'] as Envelope[]).map((event) => event.event_type)).toEqual([
        'task.created',
      ]);
      expect(await mailboxOf('p', target.id)).toContainEqual({ id, type: 'task.completed' });
    } finally {
      watcher.close();
    }
  });

  it('that calls itself a fact moves nothing: no socket of another agent hears of it', async () => {
    // Its own mailbox is empty: all that it hears, it hears by topics.
    const bystander = await api.member({ project_id: 'p' });
    const victim = await TestSocket.connect(app.url, { token: bystander.token });
    try {
      await victim.do('ready', { capacity: 1 });
      await victim.subscribe(['later']);
      const other = await api.member({ project_id: 'p' });
      const payload = { task_id: 't', attempt: 1, assigned_agent: bystander.id };
      for (const type of ['task.cancelled', 'task.assigned'])
        await send({ event_type: type, target_agent: other.id, payload }, sender.token);
      const { body: later } = await api.call('POST', '/publications', {
        topic: 'later',
        data: {},
        project_id: 'p',
      });
      await until(() => victim.ids.includes(String(later['id'])));
      expect(victim.ids).toEqual([later['id']]);
    } finally {
      victim.close();
    }
  });

  it('waits for an agent that is away, or has left', async () => {
    const away = await api.member({ project_id: 'p' });
    await api.query(`UPDATE agents SET liveness = 'offline' WHERE id = $1`, [away.id]);
    const first = await send({ target_agent: away.id }, sender.token);
    await api.call('DELETE', `/agents/${away.id}?project_id=p`);
    const second = await send({ target_agent: away.id }, sender.token);
    expect([first.status, second.status]).toEqual([202, 202]);
    expect((await mailboxOf('p', away.id)).map(({ id }) => id)).toEqual([idOf(first), idOf(second)]);
  });

  it('to an agent that was never registered here is refused', async () => {
    const elsewhere = await api.member({ project_id: 'q' });
    for (const id of ['nobody', elsewhere.id])
      expect(refused(await send({ target_agent: id }, sender.token))).toEqual([404, 'NOT_FOUND']);
  });

  it('reaches an agent that serves all projects from each of them, and a project’s own before that', async () => {
    const id = api.unique('twice');
    await api.register({ id, type: id });
    const first = await send({ target_agent: id }, sender.token);
    await api.register({ id, type: id, project_id: 'p' });
    const second = await send({ target_agent: id }, sender.token);
    expect((await mailboxOf('*', id)).map((one) => one.id)).toEqual([idOf(first)]);
    expect((await mailboxOf('p', id)).map((one) => one.id)).toEqual([idOf(second)]);
  });

  it('is sent in one’s own name', async () => {
    const from = (source: string | null, token: string): Promise<Answer> =>
      send({ target_agent: target.id, source_agent: source }, token);
    const publisher = await api.client('p', 'events:publish');
    const writer = await api.client('p', 'events:publish agents:write');
    expect(refused(await from(target.id, sender.token))).toEqual([403, 'FORBIDDEN']);
    expect(refused(await from(sender.id, publisher))).toEqual([403, 'FORBIDDEN']);
    expect(refused(await from('nobody', writer))).toEqual([404, 'NOT_FOUND']);
    expect(refused(await send({ target_agent: 'nobody', source_agent: target.id }, sender.token))).toEqual([
      404,
      'NOT_FOUND',
    ]);
    expect((await from(sender.id, writer)).body['source_agent']).toBe(sender.id);
    expect((await from(null, publisher)).body['source_agent']).toBeNull();
    expect((await from(null, sender.token)).body['source_agent']).toBe(sender.id);
  });

  it('needs the scope and the right fields', async () => {
    const reader = await api.client('p', 'events:read');
    expect(refused(await send({ target_agent: target.id }, reader))).toEqual([403, 'FORBIDDEN']);
    const elsewhere = { target_agent: target.id, project_id: 'q' };
    expect(refused(await send(elsewhere, sender.token))).toEqual([403, 'FORBIDDEN']);
    for (const [field, more] of [
      ['/target_agent', { target_agent: undefined }],
      ['/event_type', { event_type: 'a..b' }],
      ['/event_type', { event_type: 'task.*' }],
      ['/event_type', { event_type: 'a.b.c.d.e.f.g.h.i' }],
      ['/timestamp', { timestamp: 'yesterday' }],
      ['/payload', { payload: 'text' }],
      ['/ttl', { ttl: 0 }],
      ['/ttl', { ttl: 2_592_001 }],
      ['/topic', { topic: 'x' }],
    ] as const) {
      const answer = await send({ target_agent: target.id, ...more }, sender.token);
      expect(refused(answer)).toEqual([400, 'VALIDATION_FAILED']);
      expect(answer.body['error']).toMatchObject({ details: { errors: [{ path: field }] } });
    }
  });

  it('can be sent over a socket', async () => {
    const socket = await TestSocket.connect(app.url, { token: sender.token });
    try {
      const message = { id: api.unique('socket'), target_agent: target.id, payload: { n: 1 } };
      const envelope = await socket.do('message', message);
      expect(envelope).toMatchObject({ ...message, source_agent: sender.id, seq: 1 });
      expect(await socket.do('message', message)).toEqual(envelope);
      const forged = await socket.ask('message', { ...message, id: undefined, source_agent: target.id });
      expect(forged.error).toMatchObject({ code: 'FORBIDDEN' });
    } finally {
      socket.close();
    }
  });
});

describe('a message with a time to live', () => {
  it('that its target has not acknowledged expires: it is not read any more, and its sender is told', async () => {
    const sender = await api.member({ project_id: 'p' });
    const target = await api.member({ project_id: 'p' });
    const kept = await send({ target_agent: target.id }, sender.token);
    const sent = await send({ target_agent: target.id, ttl: 1, correlation_id: 'c' }, sender.token);
    const watcher = await TestSocket.connect(app.url, { token: sender.token });
    try {
      await watcher.subscribe(['message.expired'], { filters: { target_agent: target.id } });
      await watcher.has(1);
      const expiresAt = new Date(Date.parse(String(sent.body['timestamp'])) + 1_000).toISOString();
      expect(watcher.events[0]).toMatchObject({
        event_type: 'message.expired',
        source_agent: null,
        target_agent: sender.id,
        correlation_id: 'c',
        seq: 2,
        payload: {
          message_id: idOf(sent),
          source_agent: sender.id,
          target_agent: target.id,
          expires_at: expiresAt,
        },
      });
      expect(String(watcher.events[0]?.timestamp) >= expiresAt).toBe(true);
      expect((await mailboxOf('p', target.id)).map(({ id }) => id)).toEqual([idOf(kept)]);
      expect(await mailboxOf('p', sender.id)).toEqual([{ id: watcher.ids[0], type: 'message.expired' }]);
    } finally {
      watcher.close();
    }
  });

  it('that its target has acknowledged in time does not', async () => {
    const [sender, target] = await Promise.all([api.member(), api.member()]);
    const read = await send({ target_agent: target.id, ttl: 1 }, sender.token);
    await acknowledgeAll(target.id);
    const unread = await send({ target_agent: target.id, ttl: 1 }, sender.token);
    const toldOf = (id: string): Promise<unknown[]> =>
      api.query(`SELECT 1 FROM events WHERE aggregate_id = $1 AND type = 'message.expired'`, [id]);
    // They are settled in the order in which their time is over.
    await until(async () => (await toldOf(idOf(unread))).length === 1);
    expect(await toldOf(idOf(read))).toEqual([]);
    expect((await mailboxOf('*', target.id)).map(({ id }) => id)).toEqual([idOf(read)]);
    const waiting = await api.query(
      `SELECT 1 FROM messages WHERE target_agent = $1 AND expires_at IS NOT NULL`,
      [target.id],
    );
    expect(waiting).toEqual([]);
  });
});
