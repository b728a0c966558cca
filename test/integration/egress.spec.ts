import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { LookupAddress } from 'node:dns';
import { EgressError, type OutgoingAnswer } from '../../src/platform/egress/egress.port.js';
import { UndiciEgress } from '../../src/platform/egress/egress.undici.js';

/** A server that nobody may reach, on every loopback address there is; `hits` counts connections. */
class Canary {
  hits = 0;
  readonly servers: Server[] = [];

  get port(): number {
    return portOf(this.servers[0]);
  }

  static async start(): Promise<Canary> {
    const canary = new Canary();
    canary.servers.push(await canary.listen('127.0.0.1', 0));
    // Where there is no IPv6 nobody can reach it there either.
    await canary.listen('::1', canary.port).then(
      (server) => canary.servers.push(server),
      () => {},
    );
    return canary;
  }

  private async listen(host: string, port: number): Promise<Server> {
    const server = createServer((_request, reply) => reply.end('tweet'));
    server.on('connection', () => (this.hits += 1));
    return listening(server, host, port);
  }
}

function portOf(server: Server | TcpServer | undefined): number {
  const address = server?.address();
  if (typeof address !== 'object' || address === null) throw new Error('not listening');
  return address.port;
}

async function listening<S extends Server | TcpServer>(server: S, host: string, port = 0): Promise<S> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, resolve);
  });
  return server;
}

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
afterAll(() => {
  for (const server of canary.servers) server.close();
});

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

/** What the names of the attacks resolve to. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  'loopback.example': ['127.0.0.1'],
  'half.example': ['93.184.216.34', '127.0.0.1'],
  'half-v6.example': ['2606:4700:4700::1111', '::1'],
  'v6.example': ['::1'],
  'mapped.example': ['::ffff:127.0.0.1'],
  'nat64.example': ['64:ff9b::7f00:1'],
  '6to4.example': ['2002:7f00:1::'],
  'metadata.example': ['169.254.169.254'],
  'private.example': ['10.0.0.1'],
  'zone.example': ['fe80::1%lo'],
  'nothing.example': [],
};

async function resolveAttack(host: string): Promise<LookupAddress[]> {
  const found = NAMES[host.replace(/\.$/, '')];
  if (found === undefined) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
  return found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
}

/** Hosts that are the canary's, written in every way that some library reads, and hosts that nobody may call. */
const LITERALS = [
  '127.0.0.1',
  '127.0.0.1.',
  '127.1',
  '127.0.1',
  '127.000.000.001',
  '0177.0.0.1',
  '0177.0.0.01',
  '017700000001',
  '2130706433',
  '0x7f000001',
  '0x7f.1',
  '0x7F.0x0.0x0.0x1',
  '0x7f.0.0.0x1',
  '127.0x0.0.1',
  '%31%32%37.0.0.1',
  '①②⑦.⓪.⓪.①',
  '127。0。0。1',
  '127.255.255.254',
  '0',
  '0.0.0.0',
  '0x0',
  '[::]',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
  '[::127.0.0.1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::FFFF:0:127.0.0.1]',
  '[64:ff9b::127.0.0.1]',
  '[64:ff9b::7f00:1]',
  '[64:ff9b:1::7f00:1]',
  '[2002:7f00:1::]',
  '[2001:0:7f00:1::]',
  '[fe80::1]',
  '[fc00::1]',
  '[fd00:ec2::254]',
  '[fec0::1]',
  '[ff02::1]',
  '[2001:db8::1]',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.0.1',
  '169.254.169.254',
  '0251.0376.0251.0376',
  '2852039166',
  '0xa9fea9fe',
  '100.64.0.1',
  '192.0.0.192',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
];
const ATTACKS = [
  ...LITERALS.map((host) => `http://${host}:PORT/`),
  ...Object.keys(NAMES).map((host) => `http://${host}:PORT/`),
  'https://127.0.0.1:PORT/',
  'https://loopback.example:PORT/',
  'HTTP://LOOPBACK.EXAMPLE.:PORT/',
  'http:\\\\127.0.0.1:PORT\\',
  'http:127.0.0.1:PORT',
  'http://93.184.216.34@127.0.0.1:PORT/',
  'http://user:secret@93.184.216.34:PORT/',
  'http://127.0.0.1:PORT#@example.org/',
  'ftp://127.0.0.1:PORT/',
  'file:///etc/passwd',
  'gopher://127.0.0.1:PORT/_GET',
  'data:text/plain,hello',
  'javascript:alert(1)',
  '//127.0.0.1:PORT/',
  'http://',
  'http://[::1',
  'http://127.0.0.1:99999/',
  '',
];

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
