import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { EmbeddedPostgres } from '../../src/platform/database/embedded-postgres/embedded-postgres.js';

/** What an instance tells of its server. */
type Started = Pick<EmbeddedPostgres, 'connection' | 'pid' | 'adopted'> & { readonly cluster: string };

type Message = { readonly line: string } | { readonly started: Started };

interface Options {
  readonly settings?: Readonly<Record<string, string>>;
  /** Run it as this user and group. */
  readonly uid?: number;
  /** The built server; default: this repository's. */
  readonly dist?: string;
}

/** An instance of the embedded PostgreSQL in a process of its own: it can be asked to stop, and it can be killed. */
export class InstanceProcess {
  readonly lines: string[] = [];
  private readonly child: ChildProcess;
  private readonly result: Promise<Started>;
  private readonly exit: Promise<void>;

  constructor(dataDir: string, { settings = {}, uid, dist = join(process.cwd(), 'dist') }: Options = {}) {
    const script = join(process.cwd(), 'test/support/embedded-postgres.process.mjs');
    this.child = fork(script, [dist, dataDir, JSON.stringify(settings)], {
      ...(uid === undefined ? {} : { uid, gid: uid }),
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.child.stderr?.on('data', (chunk: Buffer) => this.lines.push(chunk.toString()));
    this.exit = new Promise((resolve) => this.child.once('close', () => resolve()));
    this.result = new Promise((resolve, reject) => {
      this.child.on('message', (message: Message) => {
        if ('started' in message) resolve(message.started);
        else this.lines.push(message.line);
      });
      void this.exit.then(() => reject(new Error(`It ended before it was ready:\n${this.lines.join('\n')}`)));
    });
    this.result.catch(() => {});
  }

  /** The server, once it is ready. Rejects when the process ended before. */
  started(): Promise<Started> {
    return this.result;
  }

  /** Lets go of the server in good order, and ends. */
  async stop(): Promise<void> {
    if (this.child.connected) this.child.send('stop');
    await this.exit;
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exit;
  }
}

interface Process {
  readonly pid: number;
  readonly uid: number;
  readonly command: string;
}

/** The processes that have this text on their command line. */
export function processesOf(text: string): Process[] {
  const all = process.platform === 'linux' ? processesOfLinux() : processesOfPs();
  return all.filter(({ command }) => command.includes(text));
}

/** Slim images have no `ps`. */
function processesOfLinux(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return [{ pid: Number(pid), uid: statSync(`/proc/${pid}`).uid, command }];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    });
}

function processesOfPs(): Process[] {
  return execFileSync('ps', ['-eww', '-o', 'pid=,uid=,args='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .map(([pid, uid, ...args]) => ({ pid: Number(pid), uid: Number(uid), command: args.join(' ') }));
}
