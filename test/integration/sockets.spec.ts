import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Manager } from 'socket.io-client';
import { AgentsApi } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { writeEvents } from '../support/log-writes.js';
import { tokenUntil } from '../support/short-tokens.js';
import { type Handshake, OpenSockets, refusalOf, TestSocket } from '../support/sockets.js';
import { until } from '../support/wait-for.js';

const ERROR = {
  code: expect.any(String),
  message: expect.any(String),
  details: expect.any(Object),
  correlation_id: expect.any(String),
  timestamp: expect.any(String),
};

describe('sockets', () => {
  let app: TestApp;
  let api: AgentsApi;
  let reader: string;
  const sockets = new OpenSockets();

  beforeAll(async () => {
    app = await startApp();
    api = await AgentsApi.of(app);
    reader = await api.client('p', 'events:read');
  });
  afterEach(() => sockets.closeAll());
  afterAll(() => app.close());

  const connect = (auth: Handshake = {}, ...transports: string[]): Promise<TestSocket> =>
    sockets.connect(app.url, { token: reader, ...auth }, transports);

  /** What the socket has been told once everything written so far has been delivered. */
  async function settled(socket: TestSocket): Promise<string[]> {
    const last = await connect({ token: await app.adminToken() });
    await last.subscribe(['mark']);
    await socket.subscribe(['mark']);
    await writeEvents(app, [{ type: 'mark' }]);
    await until(() => last.events.length > 0 && socket.events.some((event) => event.event_type === 'mark'));
    return socket.events.filter((event) => event.event_type !== 'mark').map((event) => event.id);
  }

  describe('the handshake', () => {
    it.each([
      ['no token', {}, 'AUTHENTICATION_FAILED'],
      ['a token that is not a text', { token: 7 }, 'AUTHENTICATION_FAILED'],
      ['a forged token', { token: 'a.b.c' }, 'AUTHENTICATION_FAILED'],
    ])('is refused with the standard error: %s', async (_name, auth, code) => {
      const refusal = await refusalOf(TestSocket.connect(app.url, auth as Handshake));
      expect(refusal).toEqual({ ...ERROR, code });
    });

    it.each(['nonsense', 7, {}])('is refused for what is not a cursor: %j', async (after) => {
      const refusal = await refusalOf(TestSocket.connect(app.url, { token: reader, after }));
      expect(refusal).toMatchObject({ code: 'VALIDATION_FAILED', details: { errors: [{ path: '/after' }] } });
    });

    it('may begin with long polling', async () => {
      const socket = await connect({}, 'polling');
      await socket.subscribe(['#']);
      const ids = await writeEvents(app, [{}]);
      await until(() => socket.ids.includes(String(ids[0])));
    });

    it('lets WS_MAX_CONNECTIONS in and refuses one more, until one leaves', async () => {
      const small = await startApp({ env: { WS_MAX_CONNECTIONS: '2' }, database: app.database });
      try {
        const two = await Promise.all([1, 2].map(() => TestSocket.connect(small.url, { token: reader })));
        const refusal = await refusalOf(TestSocket.connect(small.url, { token: reader }));
        expect(refusal).toEqual({
          ...ERROR,
          code: 'SERVICE_UNAVAILABLE',
          details: { limit: 2, retry_after: 1 },
        });
        two[0]?.close();
        const third = await until(() =>
          TestSocket.connect(small.url, { token: reader }).catch(() => undefined),
        );
        third.close();
        two[1]?.close();
      } finally {
        await small.close();
      }
    });

    it('lets one socket in per connection, so that nobody gets past that limit', async () => {
      const manager = new Manager(app.url, { path: '/ws', transports: ['websocket'], reconnection: false });
      await new Promise<void>((resolve) => manager.once('open', () => resolve()));
      const told: string[] = [];
      let closed = false;
      manager.engine.on('data', (text) => told.push(String(text)));
      manager.engine.on('close', () => (closed = true));
      // CONNECT (0), said again before it is answered.
      for (let i = 0; i < 5; i += 1) manager.engine.write(`0${JSON.stringify({ token: reader })}`);
      await until(() => told.length === 5 || closed);
      expect(told.filter((text) => text.startsWith('0'))).toHaveLength(1);
      for (const text of told.filter((one) => !one.startsWith('0'))) {
        // CONNECT_ERROR
        expect(text).toMatch(/^4/);
        expect(JSON.parse(text.slice(1))).toMatchObject({ data: { error: { ...ERROR, code: 'CONFLICT' } } });
      }
      manager.engine.close();
    });

    it('ends with its token', async () => {
      const exp = Math.floor(Date.now() / 1000) + 2;
      const { body } = await api.call('POST', '/auth/clients', {
        name: 'short',
        project_id: 'p',
        scope: 'events:read',
      });
      const claims = { client_id: String(body['client_id']), project_id: 'p', scope: 'events:read' };
      const token = await tokenUntil(app, exp, claims);
      const socket = await connect({ token });
      await until(() => socket.disconnected);
      expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
      expect(socket.bodiesOf('error')).toEqual([{ error: { ...ERROR, code: 'AUTHENTICATION_FAILED' } }]);
      expect(await refusalOf(TestSocket.connect(app.url, { token }))).toMatchObject({
        code: 'AUTHENTICATION_FAILED',
      });
    });
  });

  describe('messages', () => {
    it('are refused when nobody knows them, and say which there are', async () => {
      const answer = await (await connect()).ask('sing', {});
      const names = ['subscribe', 'unsubscribe', 'ready', 'claim', 'report', 'heartbeat'];
      const details = { messages: expect.arrayContaining(names) };
      expect(answer).toMatchObject({ ok: false, error: { ...ERROR, code: 'NOT_FOUND', details } });
    });

    it('tell their refusal as `error` to those who want no acknowledgement', async () => {
      const socket = await connect();
      socket.socket.emit('sing');
      await until(() => socket.bodiesOf('error').length === 1);
      expect(socket.bodiesOf('error')).toEqual([{ error: { ...ERROR, code: 'NOT_FOUND' } }]);
    });

    it('need their scope', async () => {
      const writer = await connect({ token: await api.client('p', 'tasks:write') });
      expect(await writer.ask('subscribe', { topics: ['#'] })).toMatchObject({
        error: { code: 'FORBIDDEN' },
      });
      const socket = await connect();
      for (const name of ['ready', 'claim', 'report', 'heartbeat']) {
        expect(await socket.ask(name, {})).toMatchObject({ ok: false, error: { code: 'FORBIDDEN' } });
      }
    });

    it.each([
      ['no body', undefined, ''],
      ['a list', [], ''],
      ['no topics', { topics: [] }, '/topics'],
      ['a pattern with # in the middle', { topics: ['a', 'a.#.b'] }, '/topics/1'],
      ['a pattern of nine segments', { topics: ['1.2.3.4.5.6.7.8.9'] }, '/topics/0'],
      ['an empty segment', { topics: ['a..b'] }, '/topics/0'],
      ['a foreign cursor', { topics: ['#'], after: 'x' }, '/after'],
      ['an unknown field', { topics: ['#'], colour: 'red' }, '/colour'],
      ['JSON that is too deep', { topics: ['#'], filters: nested(50) }, ''],
      ['a NUL', { topics: ['#'], filters: { name: 'a\u0000' } }, ''],
    ])('are refused when they are not valid: %s', async (_name, body, path) => {
      const answer = await (await connect()).ask('subscribe', body);
      expect(answer).toMatchObject({ ok: false, error: { code: 'VALIDATION_FAILED' } });
      const { errors } = Object(answer.error?.['details']) as { errors: { path: string }[] };
      expect(errors.map((one) => one.path)).toContain(path === '' ? errors[0]?.path : path);
    });
  });

  describe('a subscription', () => {
    it('gets what matches one of its patterns, by topic or type, and nothing else', async () => {
      const socket = await connect();
      await socket.subscribe(['task.*.completed', 'workflow.#', 'system.alert']);
      const [, coding, stage, workflow, alert] = await writeEvents(app, [
        { type: 'task.created', topic: 'task.coding.created' },
        { type: 'task.completed', topic: 'task.coding.completed' },
        { type: 'workflow.stage_completed' },
        { type: 'workflow' },
        { type: 'system.alerts' },
        { type: 'task.completed.late', topic: 'task.coding.completed.late' },
      ]);
      expect(await settled(socket)).toEqual([coding, stage, workflow, alert]);
      const byType = await connect();
      await byType.subscribe(['task.completed']);
      const [typed] = await writeEvents(app, [{ type: 'task.completed', topic: 'task.testing.completed' }]);
      await until(() => byType.ids.includes(String(typed)));
    });

    it('is filtered by fields of the payload, then of the envelope', async () => {
      const socket = await connect();
      await socket.subscribe(['job'], { filters: { priority: ['high', 'critical'], correlation_id: 'c' } });
      const ids = await writeEvents(app, [
        { type: 'job', correlationId: 'c', payload: { priority: 'high' } },
        { type: 'job', correlationId: 'c', payload: { priority: 'low' } },
        { type: 'job', correlationId: 'd', payload: { priority: 'high' } },
        { type: 'job', correlationId: 'd', payload: { priority: 'critical', correlation_id: 'c' } },
        { type: 'job', correlationId: 'c' },
      ]);
      expect(await settled(socket)).toEqual([ids[0], ids[3]]);
    });

    it('ends when it is told to, once', async () => {
      const socket = await connect();
      const id = await socket.subscribe(['#']);
      expect(await socket.ask('unsubscribe', { subscription_id: id })).toEqual({ ok: true, data: {} });
      expect(await socket.ask('unsubscribe', { subscription_id: id })).toMatchObject({
        ok: false,
        error: { code: 'NOT_FOUND' },
      });
      await writeEvents(app, [{}]);
      expect(await settled(socket)).toEqual([]);
    });

    it('is one of a hundred at most', async () => {
      const socket = await connect();
      const ids = await Promise.all(Array.from({ length: 100 }, () => socket.subscribe(['none'])));
      expect(await socket.ask('subscribe', { topics: ['x'] })).toMatchObject({ error: { code: 'CONFLICT' } });
      await socket.do('unsubscribe', { subscription_id: ids[0] });
      await socket.subscribe(['x']);
    });

    it('never tells of another project', async () => {
      const other = await connect({ token: await api.client('q', 'events:read') });
      const all = await connect({ token: await app.adminToken() });
      const begin = String((await all.do('subscribe', { topics: ['#'] }))['cursor']);
      const [own] = await writeEvents(app, [{ projectId: 'q' }, { projectId: 'p' }]);
      await all.has(2);
      await other.subscribe(['#'], { after: begin });
      await other.subscribe(['#'], { filters: { project_id: 'p' } });
      await writeEvents(app, [{ projectId: 'p' }]);
      await all.has(3);
      await until(() => other.bodiesOf('replay_complete').length === 1);
      expect(other.ids).toEqual([own]);
    });

    it('shares its live events with the other subscriptions of its connection', async () => {
      const socket = await connect();
      for (const topics of [['#'], ['count.*'], ['count.up']]) await socket.subscribe(topics);
      const ids = await writeEvents(app, [{}, {}]);
      expect(await settled(socket)).toEqual(ids);
    });
  });

  it.each([[['websocket']], [['polling', 'websocket']]])(
    'gets what one commit tells it in a write or two, not in one per event (%j)',
    async (transports) => {
      let writes = 0;
      app.app.getHttpServer().once('upgrade', (_request: IncomingMessage, wire: Socket) => {
        const handle = wire as Socket & Required<Pick<Socket, '_writev'>>;
        for (const name of ['_write', '_writev'] as const) {
          const write = handle[name].bind(wire) as (...args: unknown[]) => void;
          handle[name] = (...args: unknown[]) => {
            writes += 1;
            write(...args);
          };
        }
      });
      const socket = await connect({}, ...transports);
      await until(() => socket.socket.io.engine.transport.name === 'websocket');
      await socket.subscribe(['#']);
      writes = 0;
      const ids = await writeEvents(
        app,
        Array.from({ length: 100 }, () => ({})),
      );
      await socket.has(100);
      expect(socket.ids).toEqual(ids);
      expect(writes).toBeLessThanOrEqual(3);
      expect(writes).toBeGreaterThan(0);
    },
  );

  it('loses its connection when the server stops, and soon', async () => {
    const short = await startApp({ database: app.database });
    const socket = await TestSocket.connect(short.url, { token: reader });
    await socket.subscribe(['#']);
    const begun = Date.now();
    await short.close();
    await until(() => socket.disconnected);
    // Not `io server disconnect`: after that, clients do not come back by themselves.
    expect(socket.disconnected).toBe('transport close');
    expect(Date.now() - begun).toBeLessThan(5_000);
  });
});

function nested(depth: number): object {
  return depth === 0 ? {} : { a: nested(depth - 1) };
}
