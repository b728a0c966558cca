import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentsApi, type Answer, codeOf } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { assertKnownEvents } from '../support/known-events.js';
import { TestSocket } from '../support/sockets.js';

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

const refused = (answer: Answer): unknown[] => [answer.status, codeOf(answer)];

async function listening<T>(
  token: string,
  topics: readonly string[],
  run: (socket: TestSocket) => Promise<T>,
): Promise<T> {
  const socket = await TestSocket.connect(app.url, { token });
  try {
    await socket.subscribe(topics);
    return await run(socket);
  } finally {
    socket.close();
  }
}

describe('a publication', () => {
  const publish = (body: object, token?: string): Promise<Answer> =>
    api.call('POST', '/publications', body, token);

  it('of the seed reaches who subscribes to its topic, as printed', async () => {
    const publication = {
      topic: 'task.code_generation.completed',
      data: { task_id: 'task-001', result: 'success', artifacts: ['app.zip'] },
    };
    const token = await api.client('default', 'events:read');
    await listening(token, ['task.*.completed'], async (socket) => {
      const { status, body } = await publish(publication);
      expect(status).toBe(202);
      expect(body).toEqual({
        id: expect.any(String),
        timestamp: expect.any(String),
        event_type: 'message.published',
        source_agent: null,
        target_agent: null,
        correlation_id: body['id'],
        payload: publication.data,
        topic: publication.topic,
        project_id: 'default',
        seq: 1,
        cursor: expect.any(String),
      });
      await socket.has(1);
      expect(socket.events).toEqual([body]);
    });
  });

  it('is of its project: nobody else hears it', async () => {
    const [here, there] = await Promise.all(['p', 'q'].map((project) => api.client(project, 'events:read')));
    const { token } = await api.member({ project_id: 'p' });
    await listening(there ?? '', ['#'], (stranger) =>
      listening(here ?? '', ['#'], async (socket) => {
        const { body } = await publish({ topic: 'a.b', data: {} }, token);
        await socket.has(1);
        expect(socket.events).toEqual([body]);
        await publish({ topic: 'last', data: {}, project_id: 'q' });
        await stranger.has(1);
        expect(stranger.events.map(({ topic }) => topic)).toEqual(['last']);
      }),
    );
    expect(refused(await publish({ topic: 'a', data: {}, project_id: 'q' }, token))).toEqual([
      403,
      'FORBIDDEN',
    ]);
  });

  it('is made in one’s own name, and correlated as one likes', async () => {
    const agent = await api.member({ project_id: 'p' });
    const other = await api.member({ project_id: 'p' });
    const publication = { topic: 'a', data: {} };
    expect((await publish(publication, agent.token)).body['source_agent']).toBe(agent.id);
    expect(refused(await publish({ ...publication, source_agent: other.id }, agent.token))).toEqual([
      403,
      'FORBIDDEN',
    ]);
    const writer = await api.client('p', 'events:publish agents:write');
    const named = await publish({ ...publication, source_agent: other.id, correlation_id: 'c' }, writer);
    expect(named.body).toMatchObject({ source_agent: other.id, correlation_id: 'c' });
    const headers = { 'x-correlation-id': 'from-the-header' };
    const answer = await app.http('POST', '/api/v1/publications', {
      token: writer,
      body: publication,
      headers,
    });
    expect(answer.body).toMatchObject({ source_agent: null, correlation_id: 'from-the-header' });
  });

  it('is done once under an Idempotency-Key', async () => {
    const options = {
      token: await app.adminToken(),
      body: { topic: 'once', data: {} },
      headers: { 'idempotency-key': 'k' },
    };
    const first = await app.http('POST', '/api/v1/publications', options);
    const again = await app.http('POST', '/api/v1/publications', options);
    expect([again.status, again.body]).toEqual([202, first.body]);
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(await api.query(`SELECT 1 FROM events WHERE topic = 'once'`)).toHaveLength(1);
  });

  it('needs the scope and one topic', async () => {
    const reader = await api.client('p', 'events:read');
    expect(refused(await publish({ topic: 'a', data: {} }, reader))).toEqual([403, 'FORBIDDEN']);
    for (const [path, body] of [
      ['/topic', { data: {} }],
      ['/topic', { topic: '', data: {} }],
      ['/topic', { topic: 'a.*', data: {} }],
      ['/topic', { topic: '#', data: {} }],
      ['/topic', { topic: 'a.b.c.d.e.f.g.h.i', data: {} }],
      ['/data', { topic: 'a' }],
      ['/data', { topic: 'a', data: [1] }],
      ['/event_type', { topic: 'a', data: {}, event_type: 'task.completed' }],
    ] as const) {
      const answer = await publish(body);
      expect(refused(answer)).toEqual([400, 'VALIDATION_FAILED']);
      expect(answer.body['error']).toMatchObject({ details: { errors: [{ path }] } });
    }
    expect((await publish({ topic: 'a.b.c.d.e.f.g.h', data: {} })).status).toBe(202);
  });

  it('can be made over a socket', async () => {
    const { id, token } = await api.member({ project_id: 'p' });
    await listening(token, ['a.*'], async (socket) => {
      const envelope = await socket.do('publish', { topic: 'a.socket', data: { n: 1 } });
      expect(envelope).toMatchObject({ topic: 'a.socket', payload: { n: 1 }, source_agent: id });
      await socket.has(1);
      expect(socket.events).toEqual([envelope]);
      expect((await socket.ask('publish', { topic: 'a.*', data: {} })).error).toMatchObject({
        code: 'VALIDATION_FAILED',
      });
    });
  });
});

describe('an alert', () => {
  const alert = { severity: 'warning', message: 'The disk is nearly full.', details: { free: '2 GB' } };

  it('of the admin reaches who subscribes to system.alerts', async () => {
    const token = await api.client('default', 'events:read');
    await listening(token, ['system.alerts'], async (socket) => {
      const { status, body } = await api.call('POST', '/alerts', alert);
      expect([status, body]).toEqual([
        202,
        expect.objectContaining({
          event_type: 'system.alert',
          topic: 'system.alerts',
          payload: alert,
          seq: 1,
        }),
      ]);
      await socket.has(1);
      expect(socket.events).toEqual([body]);
    });
  });

  it('is the admin’s alone, and says how bad it is', async () => {
    const token = await api.client('p', 'events:publish events:read agents:write');
    expect(refused(await api.call('POST', '/alerts', alert, token))).toEqual([403, 'FORBIDDEN']);
    for (const body of [{ message: 'x' }, { severity: 'bad', message: 'x' }, { severity: 'info' }])
      expect(refused(await api.call('POST', '/alerts', body))).toEqual([400, 'VALIDATION_FAILED']);
  });
});
