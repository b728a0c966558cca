import type { LookupAddress } from 'node:dns';
import { createServer, type Server } from 'node:http';
import type { Server as TcpServer } from 'node:net';

/** A server that nobody may reach, on every loopback address there is; `hits` counts connections. */
export class Canary {
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

  close(): void {
    for (const server of this.servers) server.close();
  }

  private async listen(host: string, port: number): Promise<Server> {
    const server = createServer((_request, reply) => reply.end('tweet'));
    server.on('connection', () => (this.hits += 1));
    return listening(server, host, port);
  }
}

export function portOf(server: Server | TcpServer | undefined): number {
  const address = server?.address();
  if (typeof address !== 'object' || address === null) throw new Error('not listening');
  return address.port;
}

export async function listening<S extends Server | TcpServer>(server: S, host: string, port = 0): Promise<S> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, resolve);
  });
  return server;
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

export async function resolveAttack(host: string): Promise<LookupAddress[]> {
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
/** URLs that lead there, or to where nobody may call; PORT stands for the canary's. */
export const ATTACKS = [
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
