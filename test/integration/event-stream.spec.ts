import { type IncomingMessage, request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Drain } from '../../src/platform/health/drain.service.js';
import { AgentsApi } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { TestEventSource } from '../support/event-source.js';
import { writeEvents } from '../support/log-writes.js';
import { tokenUntil } from '../support/short-tokens.js';
import { until } from '../support/wait-for.js';

interface Asked {
  readonly scope?: string;
  readonly query?: string;
  readonly lastEventId?: string;
}

describe('GET /events/stream', () => {
  let app: TestApp;
  let api: AgentsApi;
  let reader: string;
  const open: TestEventSource[] = [];

  beforeAll(async () => {
    app = await startApp();
    api = await AgentsApi.of(app);
    reader = await api.client('p', 'events:read');
  });
  afterEach(() => {
    for (const source of open.splice(0)) source.close();
  });
  afterAll(() => app.close());

  async function stream(query = '', more: { token?: string; lastEventId?: string; url?: string } = {}) {
    const { url = app.url, token = reader, ...rest } = more;
    const source = await TestEventSource.open(url, { query, token, ...rest });
    open.push(source);
    return source;
  }

  /** The newest cursor: nothing after it is told yet. */
  async function end(): Promise<string> {
    const { headers } = await api.call('GET', '/events?limit=1', undefined, reader);
    return String(headers['x-event-cursor']);
  }

  const refusal = async (opening: Promise<unknown>): Promise<unknown> => {
    const text = await opening.then(
      () => '{}',
      (problem: unknown) => (problem instanceof Error ? problem.message : ''),
    );
    return (JSON.parse(text) as { error?: { code?: unknown } }).error?.code;
  };

  it('tells what happens, each event once, as the standard has it', async () => {
    const source = await stream('topics=%23,count.*,count.up');
    const { headers } = source.response;
    expect(headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(headers.get('x-event-cursor')).toEqual(expect.any(String));
    expect(headers.get('x-correlation-id')).toEqual(expect.any(String));
    const ids = await writeEvents(app, [{}, { payload: { text: 'two\nlines and a \u2028' } }, {}]);
    await source.has(3);
    expect(source.ids).toEqual(ids);
    expect(source.events[1]?.payload).toEqual({ text: 'two\nlines and a \u2028' });
    expect(source.told).toEqual([]);
  });

  it('picks by topics and by correlation id, past and live', async () => {
    const begin = await end();
    const write = (): Promise<string[]> =>
      writeEvents(app, [
        { type: 'a', correlationId: 'w1' },
        { type: 'b', correlationId: 'w1' },
        { type: 'a', correlationId: 'w2' },
        { type: 'a', correlationId: 'w1', projectId: 'q' },
      ]);
    const [past] = await write();
    const source = await stream(`topics=a&correlation_id=w1&after=${begin}`);
    await until(() => source.bodiesOf('replay_complete').length === 1);
    const [live] = await write();
    await source.has(2);
    const [mark] = await writeEvents(app, [{ type: 'a', correlationId: 'w1' }]);
    await source.has(3);
    expect(source.ids).toEqual([past, live, mark]);
  });

  it('goes on after `Last-Event-ID`, which goes before `after`', async () => {
    const begin = await end();
    const ids = await writeEvents(app, [{}, {}, {}]);
    const first = await stream(`after=${begin}`);
    await until(() => first.bodiesOf('replay_complete').length === 1);
    expect(first.ids).toEqual(ids);
    const second = await stream(`after=${begin}`, { lastEventId: String(first.events[1]?.cursor) });
    await until(() => second.bodiesOf('replay_complete').length === 1);
    expect(second.ids).toEqual(ids.slice(2));
  });

  it('can be resumed by a reader that was told nothing', async () => {
    const source = await stream();
    await until(() => source.lastEventId !== '');
    source.close();
    const missed = await writeEvents(app, [{}]);
    const resumed = await stream('', { lastEventId: source.lastEventId });
    await resumed.has(1);
    expect(resumed.ids).toEqual(missed);
  });

  it('says how far the past was looked at, so that a reader of rare events does not begin anew', async () => {
    const begin = await end();
    await writeEvents(app, [{}, {}]);
    const now = await end();
    const source = await stream('topics=rare', { lastEventId: begin });
    await until(() => source.bodiesOf('replay_complete').length === 1);
    expect(source.bodiesOf('replay_complete')).toEqual([{ cursor: now }]);
    await until(() => source.lastEventId === now);
  });

  it('says `gap` for a cursor of another log, without an id', async () => {
    const foreign = Buffer.from('1.0123456789ab.5').toString('base64url');
    const source = await stream('', { lastEventId: foreign });
    await until(() => source.bodiesOf('replay_complete').length === 1);
    expect(source.bodiesOf('gap')).toEqual([{ from: foreign, to: expect.any(String) }]);
    expect(source.told.map(({ name }) => name)).toEqual(['gap', 'replay_complete']);
  });

  it('takes the token in the query, and no other route does', async () => {
    const url = `${app.url}/api/v1/events`;
    const source = await TestEventSource.open(app.url, { query: `access_token=${reader}` });
    open.push(source);
    const [id] = await writeEvents(app, [{}]);
    await source.has(1);
    expect(source.ids).toEqual([id]);
    expect((await fetch(`${url}?access_token=${reader}`)).status).toBe(401);
    expect(await refusal(TestEventSource.open(app.url, { query: 'access_token=forged' }))).toBe(
      'AUTHENTICATION_FAILED',
    );
  });

  it.each([
    ['no token', {}, 'AUTHENTICATION_FAILED'],
    ['a token without the scope', { scope: 'tasks:read' }, 'FORBIDDEN'],
    ['what is no cursor', { query: 'after=x' }, 'VALIDATION_FAILED'],
    ['what is no Last-Event-ID', { lastEventId: 'x' }, 'VALIDATION_FAILED'],
    ['what is no pattern', { query: 'topics=a..b' }, 'VALIDATION_FAILED'],
    ['another project', { query: 'project_id=q' }, 'NOT_FOUND'],
  ])('refuses with the standard error: %s', async (what, asked: Asked, code) => {
    const { scope = 'events:read', ...more } = asked;
    const token = what === 'no token' ? undefined : await api.client('p', scope);
    expect(await refusal(TestEventSource.open(app.url, { ...(token && { token }), ...more }))).toBe(code);
  });

  it('answers HEAD and ends', async () => {
    const answer = await fetch(`${app.url}/api/v1/events/stream`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${reader}` },
    });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
    ]);
  });

  it('ends with its token, and says so', async () => {
    const { body } = await api.call('POST', '/auth/clients', {
      name: 'x',
      project_id: 'p',
      scope: 'events:read',
    });
    const exp = Math.floor(Date.now() / 1000) + 2;
    const claims = { client_id: String(body['client_id']), project_id: 'p', scope: 'events:read' };
    const source = await stream('', { token: await tokenUntil(app, exp, claims) });
    await until(() => source.ended);
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
    expect(source.bodiesOf('error')).toMatchObject([{ error: { code: 'AUTHENTICATION_FAILED' } }]);
  });

  it('ends within five seconds when its client is deleted', async () => {
    const { body } = await api.call('POST', '/auth/clients', {
      name: 'x',
      project_id: 'p',
      scope: 'events:read',
    });
    const token = await app.token(String(body['client_id']), String(body['client_secret']));
    const source = await stream('', { token });
    await api.call('DELETE', `/auth/clients/${String(body['client_id'])}`);
    await until(() => source.ended, { within: 5_000 });
    expect(source.bodiesOf('error')).toMatchObject([{ error: { code: 'AUTHENTICATION_FAILED' } }]);
    expect(await refusal(stream('', { token }))).toBe('AUTHENTICATION_FAILED');
  });

  it('cuts a reader that cannot keep up, which then resumes without a loss', async () => {
    const begin = await end();
    const { port } = new URL(app.url);
    const chunks: string[] = [];
    let over = false;
    const path = `/api/v1/events/stream?after=${begin}`;
    const answer = await new Promise<IncomingMessage>((resolve) => {
      request(
        { port, path, host: '127.0.0.1', headers: { authorization: `Bearer ${reader}` } },
        resolve,
      ).end();
    });
    answer.on('error', () => {});
    answer.once('close', () => (over = true));
    const ids: string[] = [];
    // It reads nothing: the kernel's buffers fill up, then ours.
    for (let part = 0; part < 18; part += 1) {
      const payload = { text: 'x'.repeat(2_000) };
      ids.push(
        ...(await writeEvents(
          app,
          Array.from({ length: 1_000 }, () => ({ payload })),
        )),
      );
    }
    answer.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
    await until(() => over, { within: 20_000 });
    const text = chunks.join('');
    expect(text).toMatch(/event: error\ndata: {"error":{"code":"SLOW_CONSUMER".*\n\n$/);
    const had = [...text.matchAll(/^id: (\S+)\ndata: (.*)\n\n/gm)].map(([, cursor = '', json = '']) => ({
      cursor,
      id: (JSON.parse(json) as { id: string }).id,
    }));
    expect(had.length).toBeLessThan(ids.length);
    const resumed = await stream('', { lastEventId: had.at(-1)?.cursor ?? begin });
    await until(() => resumed.events.length >= ids.length - had.length, { within: 40_000 });
    expect([...had.map(({ id }) => id), ...resumed.ids]).toEqual(ids);
  });

  it('replays more than may wait for one reader, at the reader’s pace', async () => {
    const begin = await end();
    const ids: string[] = [];
    for (let part = 0; part < 9; part += 1) {
      const events = Array.from({ length: 10 }, () => ({ payload: { padding: 'x'.repeat(400_000) } }));
      ids.push(...(await writeEvents(app, events)));
    }
    const source = await stream(`after=${begin}`);
    await source.has(ids.length);
    expect(source.ids).toEqual(ids);
    expect(source.bodiesOf('error')).toEqual([]);
  });

  it('says every 15 s that it is alive, and outlives the deadline of other requests', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance', 'Date'] });
    try {
      const source = await stream();
      await jest.advanceTimersByTimeAsync(46_000);
      jest.useRealTimers();
      await until(() => source.comments === 3);
      const ids = await writeEvents(app, [{}]);
      await source.has(1);
      expect(source.ids).toEqual(ids);
    } finally {
      jest.useRealTimers();
    }
  });

  it('ends when the server stops, and is not waited for', async () => {
    const short = await startApp({ database: app.database });
    const source = await stream('', { url: short.url });
    const begun = Date.now();
    await short.app.get(Drain).start();
    await until(() => source.ended);
    expect(Date.now() - begun).toBeLessThan(2_000);
    expect(await refusal(stream('', { url: short.url }))).toBe('SERVICE_UNAVAILABLE');
    await short.close();
  });
});
