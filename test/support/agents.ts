import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What an agent process tells about itself, a line each. */
export interface AgentLine {
  readonly started?: string;
  readonly reported?: string;
  readonly attempt?: number;
  readonly status?: number;
  readonly code?: string;
}

export interface AgentProcess {
  readonly id: string;
  readonly lines: AgentLine[];
  signal(name: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL' | 'SIGUSR1'): void;
  end(): Promise<void>;
}

export interface AgentOptions {
  readonly url: string;
  readonly id: string;
  readonly token: string;
  /** How long each task takes, in milliseconds. */
  readonly workMs?: number;
  /** Start the task, then wait for SIGUSR1 before it is reported. */
  readonly hold?: boolean;
  readonly maxTasks?: number;
}

/** Starts an agent in a process of its own. */
export function startAgent(options: AgentOptions): AgentProcess {
  const child: ChildProcess = spawn(
    process.execPath,
    ['test/support/agent.process.mjs', JSON.stringify(options)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const lines: AgentLine[] = [];
  if (child.stdout === null) throw new Error('the agent has no output');
  // What the process writes is the shape above: it is our own program.
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line) as AgentLine));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    id: options.id,
    lines,
    signal: (name) => child.kill(name),
    end: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
