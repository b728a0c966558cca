import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { EventLog } from '../../src/events/index.js';
import { AgentsApi } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { writeEvents } from '../support/log-writes.js';
import { type Handshake, OpenSockets, TestSocket } from '../support/sockets.js';
import { until } from '../support/wait-for.js';

/** Of what is sent first, so that the buffers of both kernels fill up. */
const LARGE = { padding: 'x'.repeat(16_000) };

describe('replay over sockets', () => {
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

  const connect = (auth: Handshake = {}, url = app.url): Promise<TestSocket> =>
    sockets.connect(url, { token: reader, ...auth });

  async function end(): Promise<string> {
    const log = app.app.get(EventLog, { strict: false });
    return log.cursor(await log.end());
  }

  const idsAfter = async (cursor: string): Promise<string[]> => {
    const pos = Number(Buffer.from(cursor, 'base64url').toString().split('.').at(-1));
    const rows = await api.query<{ id: string }>('SELECT id FROM events WHERE pos > $1 ORDER BY pos', [pos]);
    return rows.map(({ id }) => id);
  };

  it('tells the past after a cursor, says so, and goes on live', async () => {
    const begin = await end();
    const past = await writeEvents(app, [{}, {}, {}]);
    const socket = await connect();
    const answer = await socket.do('subscribe', { topics: ['#'], after: begin });
    expect(answer['cursor']).toBe(begin);
    await until(() => socket.bodiesOf('replay_complete').length === 1);
    expect(socket.ids).toEqual(past);
    expect(socket.bodiesOf('replay_complete')).toEqual([
      { subscription_id: answer['subscription_id'], cursor: socket.events.at(-1)?.cursor },
    ]);
    const live = await writeEvents(app, [{}]);
    await socket.has(4);
    expect(socket.ids).toEqual([...past, ...live]);
    expect(socket.bodiesOf('gap')).toEqual([]);
  });

  it('begins at the handshake’s cursor where a subscription names none', async () => {
    const begin = await end();
    const [first, second] = await writeEvents(app, [{}, {}]);
    const socket = await connect({ after: begin });
    await socket.subscribe(['#']);
    await socket.has(2);
    const resumed = await connect({ after: socket.events[0]?.cursor });
    await resumed.subscribe(['#']);
    await resumed.has(1);
    expect(socket.ids).toEqual([first, second]);
    expect(resumed.ids).toEqual([second]);
  });

  it('has no hole and no double at the seam, however much is being written', async () => {
    const begin = await end();
    await writeEvents(
      app,
      Array.from({ length: 1_200 }, () => ({})),
    );
    let stop = false;
    const writers = Array.from({ length: 4 }, async () => {
      while (!stop) await writeEvents(app, [{}, {}]);
    });
    const replays = await Promise.all(Array.from({ length: 5 }, (_, i) => connect({ batch: i % 2 === 0 })));
    for (const socket of replays) {
      await socket.subscribe(['count.#'], { after: begin });
      await until(() => socket.bodiesOf('replay_complete').length === 1);
    }
    // One that comes in the middle, and one that only wants what is new.
    const late = await connect();
    const from = String((await late.do('subscribe', { topics: ['count.*'] }))['cursor']);
    stop = true;
    await Promise.all(writers);

    const all = await idsAfter(begin);
    const news = await idsAfter(from);
    for (const socket of replays) await socket.has(all.length);
    await late.has(news.length);
    await writeEvents(app, [{ type: 'mark' }]);
    for (const socket of replays) expect(socket.ids).toEqual(all);
    expect(late.ids).toEqual(news);
    expect(replays[0]?.batches.some((size) => size > 1)).toBe(true);
    expect(replays[1]?.batches).toEqual([]);
  });

  it('goes on at another server with the cursor of the first, whichever of them has written', async () => {
    const other = await startApp({ database: app.database });
    try {
      const first = await connect();
      await first.subscribe(['#']);
      const [seen] = await writeEvents(app, [{}]);
      await first.has(1);
      const missed = await writeEvents(other, [{}]);
      const second = await connect({ after: first.events[0]?.cursor }, other.url);
      await second.subscribe(['#']);
      const live = [...(await writeEvents(app, [{}])), ...(await writeEvents(other, [{}]))];
      await Promise.all([second.has(3), first.has(4)]);
      expect(second.ids).toEqual([...missed, ...live]);
      expect(first.ids).toEqual([seen, ...missed, ...live]);
    } finally {
      await other.close();
    }
  });

  it('does not tell again what a cursor has covered that is ahead of this server', async () => {
    const ahead = await startApp({ database: app.database });
    try {
      const socket = await connect();
      const told: string[] = [];
      for (let i = 0; i < 10; i += 1) {
        const topic = `ahead.${i}`;
        told.push(...(await writeEvents(ahead, [{ topic }])));
        await socket.subscribe([topic], { after: await end() });
      }
      await until(() => socket.bodiesOf('replay_complete').length === 10);
      const [last] = await writeEvents(ahead, [{ topic: 'ahead.0' }]);
      await socket.has(1);
      expect(socket.ids).toEqual([last]);
      expect(told).not.toContain(last);
    } finally {
      await ahead.close();
    }
  });

  it('says `gap` for a cursor of another log, and begins at the beginning', async () => {
    const foreign = Buffer.from('1.0123456789ab.5').toString('base64url');
    const socket = await connect();
    const id = await socket.subscribe(['#'], { after: foreign });
    await until(() => socket.bodiesOf('replay_complete').length === 1);
    expect(socket.told.map(({ name }) => name)).toEqual(['gap', 'replay_complete']);
    const gap = socket.bodiesOf('gap')[0];
    expect(gap).toEqual({ subscription_id: id, from: foreign, to: expect.any(String) });
    const rows = await api.query<{ id: string }>("SELECT id FROM events WHERE project_id = 'p' ORDER BY pos");
    expect(socket.ids).toEqual(rows.map((row) => row.id));
  });

  it('says `gap` for a cursor past the end, and goes on live', async () => {
    const [version, epoch] = Buffer.from(await end(), 'base64url')
      .toString()
      .split('.');
    const future = Buffer.from(`${version}.${epoch}.999999999`).toString('base64url');
    const socket = await connect();
    const id = await socket.subscribe(['#'], { after: future });
    await until(() => socket.bodiesOf('replay_complete').length === 1);
    expect(socket.bodiesOf('gap')).toEqual([{ subscription_id: id, from: future, to: await end() }]);
    const live = await writeEvents(app, [{}]);
    await socket.has(1);
    expect(socket.ids).toEqual(live);
  });

  it('replays more than may wait for one socket, at the pace of its reader', async () => {
    const begin = await end();
    const events = Array.from({ length: 90 }, () => ({ payload: { padding: 'x'.repeat(400_000) } }));
    const ids: string[] = [];
    for (let at = 0; at < events.length; at += 10) {
      ids.push(...(await writeEvents(app, events.slice(at, at + 10))));
    }
    const socket = await connect();
    await socket.subscribe(['#'], { after: begin });
    await socket.has(ids.length);
    expect(socket.ids).toEqual(ids);
    expect(socket.bodiesOf('error')).toEqual([]);
  });

  it('cuts a client that cannot keep up, which then resumes without a loss', async () => {
    const begin = await end();
    const socket = await connect();
    await socket.subscribe(['#']);
    // The wire below, of which socket.io-client has no types: it stops reading.
    const { ws } = socket.socket.io.engine.transport as unknown as { ws: { pause(): void; resume(): void } };
    ws.pause();
    const ids: string[] = [];
    const write = async (payload: object): Promise<void> => {
      const events = Array.from({ length: 1_000 }, () => ({ payload: { ...payload } }));
      ids.push(...(await writeEvents(app, events)));
    };
    await write(LARGE);
    for (let i = 0; i < 12; i += 1) await write({});
    ws.resume();
    await until(() => socket.disconnected);
    expect(socket.bodiesOf('error')).toMatchObject([{ error: { code: 'SLOW_CONSUMER' } }]);
    // What came until then is the beginning, and the rest is still to be had.
    const had = socket.ids;
    expect(had.length).toBeLessThan(ids.length);
    expect(ids.slice(0, had.length)).toEqual(had);
    const resumed = await connect({ batch: true });
    await resumed.subscribe(['#'], { after: socket.events.at(-1)?.cursor ?? begin });
    await resumed.has(ids.length - had.length);
    expect([...had, ...resumed.ids]).toEqual(ids);
  });
});
