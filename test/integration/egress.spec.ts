import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { LookupAddress } from 'node:dns';
import { EgressError, type OutgoingAnswer } from '../../src/platform/egress/egress.port.js';
import { UndiciEgress } from '../../src/platform/egress/egress.undici.js';
import { ATTACKS, Canary, listening, portOf, resolveAttack } from '../support/attacks.js';

const LOOPBACK = '127.0.0.1';
const ALLOWED = [`${LOOPBACK}/32`];

const open: (Server | TcpServer)[] = [];
let canary: Canary;

beforeAll(async () => {
  canary = await Canary.start();
});
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});
afterAll(() => canary.close());

async function serve(answer: RequestListener, host = LOOPBACK): Promise<Server> {
  const server = await listening(createServer(answer), host);
  open.push(server);
  return server;
}

/** An address of this machine beside 127.0.0.1, for a server that is allowed while the canary is not. */
async function serveBeside(answer: RequestListener): Promise<{ server: Server; address: LookupAddress }> {
  try {
    return { server: await serve(answer, '127.0.0.2'), address: { address: '127.0.0.2', family: 4 } };
  } catch {
    return { server: await serve(answer, '::1'), address: { address: '::1', family: 6 } };
  }
}

async function failureOf(call: Promise<OutgoingAnswer>): Promise<EgressError> {
  const error: unknown = await call.then(
    (answer) => answer,
    (reason: unknown) => reason,
  );
  if (!(error instanceof EgressError)) throw new Error(`no refusal but ${JSON.stringify(error)}`);
  return error;
}

const at = (url: string): string => url.replace('PORT', String(canary.port));

describe('a call to an address that a client gave', () => {
  it.each(ATTACKS)('never reaches this network: %s', async (url) => {
    const before = canary.hits;
    const failure = await failureOf(
      new UndiciEgress([], resolveAttack).call({ url: at(url), method: 'GET' }),
    );
    expect(failure.reason).toBe(url.includes('nothing.example') ? 'unresolved' : 'refused');
    expect(failure.message).not.toContain('127.0.0.1:');
    expect(canary.hits).toBe(before);
  });

  it('is tried in more than sixty ways here', () => {
    expect(ATTACKS.length).toBeGreaterThan(60);
  });

  it('does not reach localhost as this machine itself resolves it', async () => {
    const call = new UndiciEgress([]).call({ url: at('http://localhost:PORT/'), method: 'GET' });
    expect((await failureOf(call)).reason).toBe('refused');
    expect(canary.hits).toBe(0);
  });

  it.each([
    '127.0.0.1',
    '127.1',
    '0177.0.0.1',
    '2130706433',
    '0x7f000001',
    '[::ffff:127.0.0.1]',
    'loopback.example',
  ])('reaches it as %s once the operator allows it', async (host) => {
    const server = await serve((_request, reply) => reply.end('welcome'));
    const egress = new UndiciEgress(ALLOWED, resolveAttack);
    const answer = await egress.call({ url: `http://${host}:${portOf(server)}/`, method: 'GET' });
    expect(answer).toMatchObject({ status: 200, body: 'welcome' });
  });

  it('goes to the address that was checked, whatever the name says next', async () => {
    const { server, address } = await serveBeside((_request, reply) => reply.end('checked'));
    const told: string[] = [];
    const rebind = async (): Promise<LookupAddress[]> => {
      const next = told.length === 0 ? address : { address: LOOPBACK, family: 4 };
      told.push(next.address);
      return [next];
    };
    const egress = new UndiciEgress([`${address.address}/${address.family === 4 ? 32 : 128}`], rebind);
    const url = `http://rebind.example:${portOf(server)}/`;
    expect(await egress.call({ url, method: 'GET' })).toMatchObject({ status: 200, body: 'checked' });
    expect(told).toEqual([address.address]);
    const before = canary.hits;
    const failure = await failureOf(egress.call({ url: at('http://rebind.example:PORT/'), method: 'GET' }));
    expect(failure.reason).toBe('refused');
    expect(canary.hits).toBe(before);
  });

  it('does not follow a redirect; it is an answer', async () => {
    const { server, address } = await serveBeside((_request, reply) =>
      reply.writeHead(307, { location: at('http://127.0.0.1:PORT/') }).end(),
    );
    // Allowed both: were it followed, it would arrive.
    const egress = new UndiciEgress(['127.0.0.0/8', '::1/128'], async () => [address]);
    const before = canary.hits;
    const url = `http://redirect.example:${portOf(server)}/`;
    const answer = await egress.call({ url, method: 'POST', body: '{}' });
    expect(answer.status).toBe(307);
    expect(answer.headers['location']).toBe(at('http://127.0.0.1:PORT/'));
    expect(canary.hits).toBe(before);
  });
});

describe('an allowed call', () => {
  const egress = new UndiciEgress(ALLOWED);
  const urlOf = (server: Server | TcpServer): string => `http://${LOOPBACK}:${portOf(server)}`;

  it('carries its method, headers and body, and brings back what was answered', async () => {
    const server = await serve((request, reply) => {
      request.setEncoding('utf8');
      let body = '';
      request.on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        const { method, url, headers } = request;
        reply.writeHead(429, { 'retry-after': '7', 'set-cookie': ['a=1', 'b=2'] });
        reply.end(JSON.stringify({ method, url, type: headers['content-type'], host: headers.host, body }));
      });
    });
    const answer = await egress.call({
      url: `${urlOf(server)}/hooks/1?x=%20y#fragment`,
      method: 'POST',
      headers: { 'content-type': 'application/json', 'webhook-id': 'msg_1' },
      body: '{"ü":1}',
    });
    expect(answer.status).toBe(429);
    expect(answer.headers).toMatchObject({ 'retry-after': '7', 'set-cookie': 'a=1, b=2' });
    expect(JSON.parse(answer.body)).toEqual({
      method: 'POST',
      url: '/hooks/1?x=%20y',
      type: 'application/json',
      host: `${LOOPBACK}:${portOf(server)}`,
      body: '{"ü":1}',
    });
  });

  it('reads the first 64 KiB and no more of an answer without an end', async () => {
    let cut = false;
    const server = await serve((request, reply) => {
      request.socket.once('close', () => (cut = true));
      const more = (): void => {
        while (reply.write('x'.repeat(16_384)));
        reply.once('drain', more);
      };
      more();
    });
    const answer = await egress.call({ url: urlOf(server), method: 'GET' });
    expect([answer.status, answer.body.length]).toEqual([200, 65_536]);
    await new Promise<void>((resolve) => {
      const look = (): unknown => (cut ? resolve() : setImmediate(look));
      look();
    });
  });

  it('waits 10 s at most, for an answer that never begins and for one that drips', async () => {
    const silent = await listening(createTcpServer(), LOOPBACK);
    const dripping = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const drip = setInterval(() => socket.write('x'), 200);
      socket.on('close', () => clearInterval(drip));
    });
    open.push(silent, await listening(dripping, LOOPBACK));
    const start = performance.now();
    const calls = [silent, dripping].map((server) => egress.call({ url: urlOf(server), method: 'GET' }));
    const failures = await Promise.all(calls.map(failureOf));
    expect(failures.map(({ reason }) => reason)).toEqual(['timed_out', 'timed_out']);
    expect(performance.now() - start).toBeGreaterThan(9_500);
    expect(performance.now() - start).toBeLessThan(13_000);
  });

  it('ends when its caller gives up', async () => {
    const server = await listening(createTcpServer(), LOOPBACK);
    open.push(server);
    const giveUp = new AbortController();
    const call = failureOf(egress.call({ url: urlOf(server), method: 'GET', signal: giveUp.signal }));
    server.once('connection', () => giveUp.abort());
    expect((await call).reason).toBe('cancelled');
  });

  it.each<[string, (server: TcpServer) => void]>([
    ['hangs up', (server) => server.on('connection', (socket) => socket.destroy())],
    [
      'does not speak HTTP',
      (server) => server.on('connection', (socket) => socket.on('error', () => {}).end('SSH-2.0\r\n')),
    ],
    [
      'sends headers without an end',
      (server) =>
        server.on('connection', (socket) =>
          socket.on('error', () => {}).write(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}`),
        ),
    ],
  ])('is unreachable where a server %s', async (_, behave) => {
    const server = createTcpServer();
    behave(server);
    open.push(await listening(server, LOOPBACK));
    expect((await failureOf(egress.call({ url: urlOf(server), method: 'GET' }))).reason).toBe('unreachable');
  });

  it('is unreachable where nobody listens, and unresolved where the name is nobody’s', async () => {
    const server = await listening(createTcpServer(), LOOPBACK);
    const url = urlOf(server);
    await new Promise((resolve) => server.close(resolve));
    expect((await failureOf(egress.call({ url, method: 'GET' }))).reason).toBe('unreachable');
    const nobody = new UndiciEgress([], resolveAttack).call({ url: 'http://nobody.example/', method: 'GET' });
    expect((await failureOf(nobody)).reason).toBe('unresolved');
  });
});
