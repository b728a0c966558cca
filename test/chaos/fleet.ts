import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { randomFrom } from './random.mjs';
import type { Recorder } from './recorder.mjs';

const HERE = join(process.cwd(), 'test/chaos');

/** What an agent is told at its start; agent.process.mjs reads it. */
export interface AgentOptions {
  /** It takes any of these for each call. */
  readonly urls: readonly string[];
  readonly id: string;
  readonly type: string;
  readonly projectId: string;
  readonly token: string;
  /** Where its history goes. */
  readonly history: string;
  readonly seed: number;
  /** Tasks at once. */
  readonly capacity: number;
  /** Gets its work pushed, and reports, over a socket. */
  readonly socket: boolean;
  /** Shares of its tasks, 0..1, at which it dies or freezes beyond its lease. */
  readonly crashes: number;
  readonly pauses: number;
  /** Share of its tasks, 0..1, that it reports as failed; half of those for good. */
  readonly failures: number;
  /** How long a task takes, on average. */
  readonly workMs: number;
  /** Between two heartbeats. */
  readonly beatMs: number;
  /** Starts its tasks, and completes them only after SIGUSR1. */
  readonly holds: boolean;
}

/** What an agent's process tells the driver. */
interface Message {
  readonly started?: string;
  readonly reported?: string;
  readonly status?: number;
  readonly freezing?: boolean;
  readonly registered?: boolean;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A plain Node process that ends with this one. */
export function startProcess(program: string, options: object): ChildProcess {
  const child = fork(join(HERE, program), [JSON.stringify(options)], { execArgv: [] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

export async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exited;
}

/** An agent through all its lives: when its process dies it is started again, when it froze it is continued. */
export class FleetAgent {
  readonly started = new Set<string>();
  readonly completed = new Set<string>();
  /** What it reported, and was refused. */
  readonly refused = new Set<string>();
  crashes = 0;
  pauses = 0;
  /** Dead or frozen, or not registered yet. */
  silent = true;
  private child: ChildProcess;
  private life = 0;
  private ended = false;
  /** Killed for good: nobody waits for it. */
  dead = false;
  private readonly random: () => number;

  /** @param awayMs how long it stays frozen, and sometimes dead: longer than its lease */
  constructor(
    private readonly options: AgentOptions,
    private readonly driver: Recorder,
    private readonly awayMs: number,
  ) {
    this.random = randomFrom(options.seed);
    this.child = this.live();
  }

  get id(): string {
    return this.options.id;
  }

  /** Freezes it now; {@link thaw} continues it. */
  freeze(): void {
    this.child.kill('SIGSTOP');
    this.fallSilent();
    this.pauses += 1;
  }

  thaw(): void {
    this.child.kill('SIGCONT');
    this.comeBack();
  }

  /** Lets it complete what it holds. */
  release(): void {
    this.child.kill('SIGUSR1');
  }

  /** `kill -9`; it is not started again. */
  kill(): void {
    this.dead = true;
    this.child.kill('SIGKILL');
  }

  async end(): Promise<void> {
    this.ended = true;
    await killed(this.child);
  }

  private live(): ChildProcess {
    this.life += 1;
    const { seed } = this.options;
    const child = startProcess('agent.process.mjs', {
      ...this.options,
      seed: seed + this.life,
      life: this.life,
    });
    // What the process sends is the shape above: it is our own program.
    child.on('message', (message) => this.hear(message as Message));
    child.once('exit', () => this.died());
    return child;
  }

  private hear({ started, reported, status, freezing, registered }: Message): void {
    if (registered === true) this.comeBack();
    if (started !== undefined) this.started.add(started);
    if (reported !== undefined) (status === 200 ? this.completed : this.refused).add(reported);
    if (freezing !== true) return;
    this.pauses += 1;
    this.fallSilent();
    setTimeout(() => !this.ended && this.thaw(), this.awayMs);
  }

  private died(): void {
    if (this.ended) return;
    this.crashes += 1;
    this.fallSilent();
    if (this.dead) return;
    // Back within its lease, or after: what it held is then given back by itself, or taken from it.
    const delay = this.random() < 0.5 ? 100 : this.awayMs;
    setTimeout(() => {
      if (!this.ended) this.child = this.live();
    }, delay);
  }

  private fallSilent(): void {
    if (!this.silent) this.driver.note('silent', { agent: this.id });
    this.silent = true;
  }

  private comeBack(): void {
    if (this.silent) this.driver.note('back', { agent: this.id });
    this.silent = false;
  }
}
