import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Envelope } from '../../src/events/index.js';
import { until } from './wait-for.js';

/** What a talker's process tells, a line each. */
interface Line {
  readonly connected?: true;
  readonly event?: Envelope;
  readonly acknowledged?: string;
  readonly n?: number;
  readonly answer?: Readonly<Record<string, unknown>>;
}

interface Options {
  readonly url: string;
  readonly id: string;
  readonly token: string;
  /** Cursor of its handshake. */
  readonly after?: string;
  /** What it answers to every request. */
  readonly response?: object;
}

/** An agent with a socket in a process of its own, that does what it is told. */
export class Talker {
  private readonly lines: Line[] = [];
  private asked = 0;
  private readonly child: ChildProcess;

  private constructor(options: Options) {
    const script = ['test/support/talker.process.mjs', JSON.stringify(options)];
    this.child = spawn(process.execPath, script, { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.child.stdout === null) throw new Error('the agent has no output');
    // What the process writes is the shape above: it is our own program.
    createInterface({ input: this.child.stdout }).on('line', (line) =>
      this.lines.push(JSON.parse(line) as Line),
    );
  }

  static async start(options: Options): Promise<Talker> {
    const talker = new Talker(options);
    await until(() => talker.lines.some((line) => line.connected === true));
    return talker;
  }

  /** All it was told, in order. */
  get events(): Envelope[] {
    return this.lines.flatMap(({ event }) => event ?? []);
  }

  get types(): string[] {
    return this.events.map((event) => event.event_type);
  }

  /** Resolves with an event when it was told and acknowledged. */
  async hears(type: string): Promise<Envelope> {
    const event = await until(() => this.events.find((one) => one.event_type === type));
    await until(() => this.lines.some(({ acknowledged }) => acknowledged === event.id));
    return event;
  }

  /** Asks over its socket; the acknowledgement. */
  ask(name: string, body: object): Promise<unknown> {
    return this.command({ ask: name, body });
  }

  /** Calls with its own token; status and body. */
  call(method: string, path: string, body?: object): Promise<unknown> {
    return this.command({ method, path, body });
  }

  async kill(): Promise<void> {
    const exited = new Promise((resolve) => this.child.once('exit', resolve));
    if (!this.child.kill('SIGKILL')) return;
    await exited;
  }

  private command(what: object): Promise<unknown> {
    const n = (this.asked += 1);
    this.child.stdin?.write(`${JSON.stringify({ n, ...what })}\n`);
    return until(() => this.lines.find((line) => line.n === n)?.answer);
  }
}
