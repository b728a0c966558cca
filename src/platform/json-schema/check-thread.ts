import { Worker } from 'node:worker_threads';
import type { FieldError } from '../../shared/domain-error.js';
import { DomainError } from '../../shared/domain-error.js';

/** Compile a schema, or check values by one that is compiled. */
export type Work =
  | { readonly hash: string; readonly schema: string; readonly isNew: boolean }
  | { readonly hash: string; readonly values: readonly unknown[] };

export interface Answer {
  /** Of each value, or of the schema; null: the thread does not have the schema compiled. */
  readonly problems: readonly FieldError[][] | null;
  /** How long it took. */
  readonly ms: number;
}

/** A job was ended because it took more time or memory than it may. */
export class TooMuch extends Error {
  /** @param ms what it has cost the others */
  constructor(readonly ms: number) {
    super('the check took too much');
  }
}

interface Job {
  readonly work: Work;
  /** Looks at the thread during which it may run. */
  readonly maxLooks: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
  /** It ran when a thread ran out of memory, which may have been filled by others. */
  suspected: boolean;
}

const LOOK_MS = 50;
const MAX_LOOKS = { check: 5, compile: 40, start: 300 };
/** What the next thread takes to start, roughly. */
const START_MS = 750;
const MAX_WAITING = 10_000;
const MEMORY = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 32 };

/**
 * Runs jobs one after the other in a thread of its own, which starts with the first of them. Code that is made of what
 * clients sent (patterns that backtrack, references that multiply) may take for ever there: nobody else waits longer for
 * it than the job may take, since then the thread is ended, and the jobs behind it go to the next one.
 */
export class CheckThread {
  private worker: Worker | undefined;
  private begun = new Int32Array(new SharedArrayBuffer(4));
  /** Sent to the thread and not answered, in order. */
  private sent: Job[] = [];
  private gathered: Job[] = [];
  private answered = 0;
  private watch: NodeJS.Timeout | undefined;
  private seen = { begun: 0, looks: 0 };

  /** @throws TooMuch; DomainError SERVICE_UNAVAILABLE when too many jobs wait */
  run(work: Work): Promise<Answer> {
    if (this.sent.length + this.gathered.length >= MAX_WAITING) {
      throw new DomainError('SERVICE_UNAVAILABLE', 'Too many checks wait; try again in a moment.', {
        retry_after: 1,
      });
    }
    return new Promise((resolve, reject) => {
      const maxLooks = 'schema' in work ? MAX_LOOKS.compile : MAX_LOOKS.check;
      this.gather({ work, maxLooks, resolve, reject, suspected: false });
    });
  }

  async close(): Promise<void> {
    clearInterval(this.watch);
    await this.worker?.terminate();
  }

  /** What comes in one turn of the event loop is sent at once: waking the thread costs more than a check. */
  private gather(...jobs: readonly Job[]): void {
    if (this.gathered.length === 0) setImmediate(() => this.send());
    this.gathered.push(...jobs);
  }

  private send(): void {
    const jobs = this.gathered;
    this.gathered = [];
    this.worker ??= this.start();
    this.sent.push(...jobs);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a window has one, a thread has none
    this.worker.postMessage(jobs.map(({ work }) => work));
    this.watch ??= setInterval(() => this.look(), LOOK_MS).unref();
  }

  private start(): Worker {
    this.begun = new Int32Array(new SharedArrayBuffer(4));
    this.answered = 0;
    this.seen = { begun: 0, looks: 0 };
    const worker = new Worker(new URL('./schema-thread.mjs', import.meta.url), {
      name: 'schemas',
      workerData: { begun: this.begun.buffer },
      resourceLimits: MEMORY,
    });
    worker.unref();
    worker.on('message', (answers: Answer[]) => {
      if (worker === this.worker) this.hear(answers);
    });
    worker.on('error', (error) => {
      if (worker === this.worker) this.lost(error);
    });
    return worker;
  }

  private hear(answers: readonly Answer[]): void {
    this.answered += answers.length;
    const jobs = this.sent.splice(0, answers.length);
    for (const [index, answer] of answers.entries()) jobs[index]?.resolve(answer);
    if (this.sent.length > 0) return;
    clearInterval(this.watch);
    this.watch = undefined;
  }

  /** Counts looks, not time: while this process itself is held up, it does not look, and hears no answers either. */
  private look(): void {
    const begun = Atomics.load(this.begun, 0);
    const looks = begun === this.seen.begun ? this.seen.looks + 1 : 0;
    this.seen = { begun, looks };
    const running = this.running();
    if (looks <= (running?.maxLooks ?? MAX_LOOKS.start)) return;
    if (running === undefined) return this.lost(new Error('the thread that checks schemas does not answer'));
    this.giveUp(running);
  }

  /** The job that the thread is at, as far as it is known; undefined while it starts. */
  private running(): Job | undefined {
    return this.sent[Atomics.load(this.begun, 0) - this.answered - 1];
  }

  /** The thread has ended by itself: a job was too much for its memory, or it cannot even start. */
  private lost(error: Error): void {
    const running = this.running();
    if (running === undefined) {
      const jobs = this.sent;
      this.sent = [];
      this.end();
      for (const job of jobs) job.reject(error);
    } else if (running.suspected) {
      this.giveUp(running);
    } else {
      running.suspected = true;
      this.again();
    }
  }

  private giveUp(job: Job): void {
    this.sent = this.sent.filter((one) => one !== job);
    this.again();
    job.reject(new TooMuch(job.maxLooks * LOOK_MS + START_MS));
  }

  /** Ends the thread; what it has not answered is begun again by the next one. */
  private again(): void {
    const jobs = this.sent;
    this.sent = [];
    this.end();
    if (jobs.length > 0) this.gather(...jobs);
  }

  private end(): void {
    void this.worker?.terminate();
    this.worker = undefined;
    clearInterval(this.watch);
    this.watch = undefined;
  }
}
