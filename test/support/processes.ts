import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { until } from './wait-for.js';

const LISTENS = /^Parley listens on (\S+)$/m;
const START_MS = 60_000;

interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

interface Options {
  /** PARLEY_DATA_DIR; may be left out with DATABASE_URL. */
  readonly dataDir?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Another build's entry; default: `dist/server/main.js`. */
  readonly main?: string;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** The built server in a process of its own. */
export class ServerProcess {
  /** Resolves when the process has ended and said its last. */
  readonly exited: Promise<Exit>;
  private readonly child: ChildProcess;
  private text = '';
  private exit: Exit | undefined;

  constructor({ dataDir, env = {}, main = join(process.cwd(), 'dist/server/main.js') }: Options) {
    this.child = spawn(process.execPath, [main], {
      // Nothing of the caller's own configuration reaches it.
      env: {
        PATH: process.env['PATH'],
        PORT: '0',
        ...(dataDir === undefined ? {} : { PARLEY_DATA_DIR: dataDir }),
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(this.child);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
    }
    this.exited = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        running.delete(this.child);
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Where it listens, without a slash at the end. */
  get url(): string {
    return LISTENS.exec(this.text)?.[1] ?? '';
  }

  /** All it has said so far, on stdout and stderr. */
  output(): string {
    return this.text;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Sends a signal that ends it, and waits for the end. */
  async kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.signal(signal);
    return this.exited;
  }

  /** Resolves when it listens. @throws with what it said when it ended before */
  async listening(): Promise<void> {
    await until(() => this.url !== '' || this.exit !== undefined, { within: START_MS });
    if (this.url === '') throw new Error(`The server ended before it listened:\n${this.text}`);
  }
}

/** Starts the built server on a free port, unless `env.PORT` says which, and waits until it listens. */
export async function startServer(options: Options): Promise<ServerProcess> {
  const server = new ServerProcess(options);
  await server.listening();
  return server;
}
