import type { AddressInfo } from 'node:net';
import { connect as dial } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Messages } from '../../src/events/index.js';
import { AgentsApi } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { writeEvents } from '../support/log-writes.js';
import { type Handshake, TestSocket } from '../support/sockets.js';
import { until } from '../support/wait-for.js';

/** More than the kernel's buffers, the transport's and the queue hold together. */
const EVENTS = 20_000;
/** More messages than the answers to them have room there. */
const ASKED = 12_000;
const PAYLOAD = { text: 'x'.repeat(1_500) };

/** The wire below a WebSocket of the client. */
interface Wire {
  pause(): void;
  resume(): void;
}

describe('sockets that do not read', () => {
  let app: TestApp;
  let reader: string;
  const open: TestSocket[] = [];

  beforeAll(async () => {
    app = await startApp({ env: { WS_MAX_CONNECTIONS: '4' } });
    reader = await (await AgentsApi.of(app)).client('p', 'events:read');
  });
  afterEach(async () => {
    for (const socket of open.splice(0)) {
      wireOf(socket)?.resume();
      socket.close();
    }
    await until(async () => (await connections()) === 0, { within: 20_000 });
  });
  afterAll(() => app.close());

  async function connect(auth: Handshake = {}): Promise<TestSocket> {
    const socket = await TestSocket.connect(app.url, { token: reader, ...auth });
    open.push(socket);
    return socket;
  }

  /** TCP connections that hold a WebSocket, as the server counts them; those of fetch are idle and closed. */
  async function connections(): Promise<number> {
    const server = app.app.getHttpServer();
    server.closeIdleConnections();
    return new Promise((resolve, reject) => {
      server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }

  async function writeMany(): Promise<string[]> {
    const ids: string[] = [];
    for (let part = 0; part < EVENTS / 1_000; part += 1) {
      ids.push(
        ...(await writeEvents(
          app,
          Array.from({ length: 1_000 }, () => ({ payload: PAYLOAD })),
        )),
      );
    }
    return ids;
  }

  it('are cut within 10 s, while others get everything, and resume from their cursor with nothing lost', async () => {
    const [stuck, late, good] = [await connect(), await connect(), await connect()];
    for (const socket of [stuck, late, good]) await socket.subscribe(['#']);
    wireOf(stuck)?.pause();
    wireOf(late)?.pause();
    expect(await connections()).toBe(3);
    const writing = writeMany();
    await until(() => good.events.length > EVENTS * 0.9, { within: 60_000 });
    // One of the two reads on when it is too late, and is told why it is cut; the other never does.
    wireOf(late)?.resume();
    const begun = Date.now();
    const ids = await writing;
    await until(() => good.events.length === ids.length, { within: 30_000 });
    expect(good.ids).toEqual(ids);
    await until(async () => (await connections()) === 1, { within: 10_000 });
    expect(Date.now() - begun).toBeLessThan(10_000);
    await until(() => late.disconnected);
    const [reason] = late.bodiesOf('error');
    expect(reason).toMatchObject({ error: { code: 'SLOW_CONSUMER' } });

    for (const cut of [stuck, late]) {
      wireOf(cut)?.resume();
      await until(() => cut.disconnected);
      const again = await connect({ after: cut.events.at(-1)?.cursor });
      await again.subscribe(['#']);
      await until(() => cut.events.length + again.events.length >= ids.length, { within: 30_000 });
      expect([...cut.ids, ...again.ids]).toEqual(ids);
      again.close();
    }
  });

  it('are not read either: what they ask waits with them', async () => {
    const answer = jest.spyOn(app.app.get(Messages, { strict: false }), 'answer');
    const socket = await connect();
    wireOf(socket)?.pause();
    let heard = 0;
    for (let n = 0; n < ASKED; n += 1)
      socket.socket.emit('subscribe', { ['x'.repeat(1_000)]: 1 }, () => (heard += 1));
    let before = 0;
    await until(
      async () => {
        const [known, { calls }] = [before, answer.mock];
        before = calls.length;
        await delay(1_000);
        return known > 0 && calls.length === known;
      },
      { within: 40_000 },
    );
    // Some answers lie in the kernel's buffers, and a thousand in ours.
    expect(before).toBeLessThan(ASKED);
    answer.mockRestore();
    wireOf(socket)?.resume();
    await until(() => heard === ASKED, { within: 40_000 });
  });

  it('are let go a second after they were refused, and when they never log in', async () => {
    const refused = Array.from({ length: 20 }, () => handshake((send) => send('40{"token":"forged"}')));
    expect(await Promise.all(refused)).toEqual(
      refused.map(() => expect.stringContaining('AUTHENTICATION_FAILED')),
    );
    const silent = handshake(() => {});
    expect(await silent).toContain('101 Switching Protocols');
  }, 20_000);

  it('are refused at the door when far too many come', async () => {
    const crowd = Array.from({ length: 600 }, () => handshake(() => {}));
    const answers = await Promise.all(crowd);
    const heard = answers.filter((answer) => answer.includes('101 Switching')).length;
    expect(heard).toBeLessThanOrEqual(504);
    expect(heard).toBeGreaterThan(100);
    expect(answers.some((answer) => answer.includes('holds 4 sockets'))).toBe(true);
  }, 30_000);

  /** A WebSocket by hand that never closes by itself; answers with all it got when the server has cut it. */
  function handshake(whenOpen: (send: (packet: string) => void) => void): Promise<string> {
    const { port } = app.app.getHttpServer().address() as AddressInfo;
    return new Promise((resolve, reject) => {
      let text = '';
      const wire = dial(port, '127.0.0.1');
      wire.write(
        'GET /ws/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
      wire.on('data', (data) => {
        const first = text === '';
        text += data.toString();
        if (first) whenOpen((packet) => wire.write(frame(packet)));
      });
      wire.once('error', reject);
      wire.once('close', () => resolve(text));
    });
  }
});

/** A masked text frame (RFC 6455) with a mask of zeros. */
function frame(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
}

function wireOf({ socket }: TestSocket): Wire | undefined {
  // The client's engine keeps its WebSocket to itself; there is no other way to make a client that does not read.
  const { transport } = socket.io.engine as unknown as { transport: { ws?: { _socket?: Wire } } };
  return transport.ws?._socket;
}
