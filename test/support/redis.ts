import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from '@jest/globals';
import { freePort } from './free-port.js';
import { until } from './wait-for.js';

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** `describe` where there is a redis-server; elsewhere the tests are skipped, and one line says so. */
export const describeRedis: typeof describe.skip = hasRedis() ? describe : describe.skip;

function hasRedis(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    // oxlint-disable-next-line no-console -- what a machine cannot run is said in one visible line
    console.warn(
      'Skipped: tests with Redis (there is no redis-server on the PATH; Debian: apt install redis-server).',
    );
    return false;
  }
}

/** A Redis of a test's own, which can be killed, paused and started anew on its port. It keeps nothing. */
export class RedisServer {
  private child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly settings: readonly string[],
  ) {}

  /** @param settings more arguments, such as `--maxmemory-policy` */
  static async start(...settings: string[]): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), mkdtempSync(join(tmpdir(), 'parley-redis-')), settings);
    await server.start();
    return server;
  }

  /** For REDIS_URL. */
  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it again after it was killed. */
  async start(): Promise<void> {
    const place = ['--bind', '127.0.0.1', '--port', String(this.port), '--dir', this.folder];
    this.child = spawn('redis-server', [...place, '--save', '', '--appendonly', 'no', ...this.settings], {
      stdio: 'ignore',
    });
    running.add(this.child);
    await until(async () => /^(\+PONG|-NOAUTH)/.test(await this.command('PING')));
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  async kill(): Promise<void> {
    const { child } = this;
    if (child === undefined) return;
    this.child = undefined;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
    running.delete(child);
  }

  async flush(): Promise<void> {
    await this.command('FLUSHALL');
  }

  /** Ends it for good. */
  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Sends inline commands, one a line, and answers with all that comes back. */
  command(lines: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let answer = '';
      const socket = connect(this.port, '127.0.0.1', () => socket.write(`${lines}\r\nQUIT\r\n`));
      socket.on('data', (data) => (answer += data.toString()));
      socket.once('error', reject);
      socket.once('close', () => resolve(answer));
    });
  }
}
