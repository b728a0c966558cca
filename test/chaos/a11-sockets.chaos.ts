import { readFileSync } from 'node:fs';
import { afterAll, afterEach, expect, it } from '@jest/globals';
import { ManySockets } from '../support/many-sockets.js';
import { type ServerProcess, startServer } from '../support/processes.js';
import { until } from '../support/wait-for.js';
import { request } from './client.js';
import { ChaosPostgres } from './postgres.js';

const MOST = 10_000;
const SLOW = 100;
const BROADCASTS = 20;
/** Together more than a socket's queue (32 MB) and the kernel's buffers (36 MB on Linux) hold: who reads nothing is full. */
const FLOOD = { events: 90, atOnce: 5, bytes: 900_000 };
/** Connections of HTTP calls, at most. */
const OTHERS = 20;
const ADMIN = { client_id: 'admin', client_secret: 'the-admin-of-the-chaos' };

let server: ServerProcess | undefined;
let sockets: ManySockets | undefined;
let postgres: ChaosPostgres | undefined;
afterEach(async () => {
  await sockets?.stop();
  await server?.kill('SIGKILL');
});
afterAll(() => postgres?.remove());

it('A11: ten thousand sockets hear every broadcast, slow ones are cut, and one more is refused', async () => {
  postgres = await ChaosPostgres.start();
  server = await startServer({
    env: {
      DATABASE_URL: postgres.url,
      PARLEY_ADMIN_CLIENT_ID: ADMIN.client_id,
      PARLEY_ADMIN_CLIENT_SECRET: ADMIN.client_secret,
      RATE_LIMIT_PER_MINUTE: '0',
      WS_MAX_CONNECTIONS: String(MOST),
      LOG_LEVEL: 'error',
    },
  });
  const { url, pid } = server;
  const login = { grant_type: 'client_credentials', ...ADMIN };
  const token = String((await request(url, '', 'POST', '/auth/token', login)).body['access_token']);
  const publish = async (topic: string, data: object): Promise<void> => {
    const { status } = await request(url, token, 'POST', '/publications', { topic, data, project_id: 'p' });
    expect(status).toBe(202);
  };

  sockets = await ManySockets.start(url, token);
  const began = Date.now();
  await sockets.connect(MOST);
  const connectedIn = Date.now() - began;
  expect(await sockets.oneMore()).toMatchObject({ error: { code: 'SERVICE_UNAVAILABLE' } });
  await sockets.subscribe(['news.#']);

  const reaches: number[] = [];
  for (let n = 1; n <= BROADCASTS; n += 1) {
    const sentAt = Date.now();
    await publish('news.today', { n, text: 'x'.repeat(200) });
    const { lastAt } = await until(async () => {
      const counts = await sockets?.counts();
      return counts?.events === n * MOST && counts;
    });
    reaches.push(lastAt - sentAt);
  }
  const memory = rssMb(pid);

  await sockets.subscribe(['flood.#'], SLOW);
  await sockets.freeze(SLOW);
  const open = connectionsTo(url);
  const flood = 'x'.repeat(FLOOD.bytes);
  const floodedAt = Date.now();
  for (let n = 0; n < FLOOD.events; n += FLOOD.atOnce)
    await Promise.all(Array.from({ length: FLOOD.atOnce }, () => publish('flood.all', { flood })));
  const floodTook = Date.now() - floodedAt;
  // The calls of the flood leave some connections of their own; that all slow ones were cut is told below.
  await until(() => connectionsTo(url) <= open - SLOW + OTHERS, { within: 60_000 });
  const cutIn = Date.now() - floodedAt - floodTook;
  await sockets.thaw();
  await until(async () => (await sockets?.counts())?.cut === SLOW);
  const before = (await sockets.counts()).events;
  await publish('news.today', { last: true });
  await until(async () => (await sockets?.counts())?.events === before + MOST - SLOW);

  const worst = Math.max(...reaches);
  process.stdout.write(
    `\nA11\n  sockets connected in                 ${connectedIn} ms (30,000)\n  a broadcast reached the last in at most ${worst} ms (3,000)\n` +
      `  memory of the server                 ${memory.toFixed(0)} MB (500)\n  slow ones cut within                 ${cutIn} ms (10,000) after a flood of ${floodTook} ms\n`,
  );
  expect(connectedIn).toBeLessThanOrEqual(30_000);
  expect(worst).toBeLessThanOrEqual(3_000);
  expect(memory).toBeLessThanOrEqual(500);
  expect(cutIn).toBeLessThanOrEqual(10_000);
});

function rssMb(pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kb) / 1024;
}

/** What the kernel has as ESTABLISHED (01) at the server's port. */
function connectionsTo(url: string): number {
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, '0');
  const isOurs = (line: string): boolean => {
    const [, local = '', , state] = line.trim().split(/\s+/);
    return local.endsWith(`:${port}`) && state === '01';
  };
  return readFileSync('/proc/net/tcp', 'latin1').split('\n').filter(isOurs).length;
}
