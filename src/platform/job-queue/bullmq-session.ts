import type { Job as StoredJob, JobsOptions, Processor } from 'bullmq';
import type { Job, JobData } from './job-queue.port.js';

export type JobHandler = (data: JobData) => Promise<void>;

/** What a session needs of a BullMQ queue, whatever its store. */
interface StoredQueue {
  add(name: string, data: JobData, options: JobsOptions): Promise<unknown>;
  getJobs(
    types: ('waiting' | 'delayed')[],
    start: number,
    end: number,
    oldestFirst: boolean,
  ): Promise<readonly (Pick<StoredJob, 'timestamp' | 'delay'> | undefined)[]>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  close(): Promise<void>;
}

interface StoreWorker {
  on(event: 'error', listener: (error: Error) => void): unknown;
  close(force: boolean): Promise<void>;
}

/** Where BullMQ keeps its jobs: a connection to Postgres or to Redis that was open a moment ago. */
export interface BullmqStore {
  queue(name: string): StoredQueue;
  worker(name: string, processor: Processor<JobData, void>): StoreWorker;
  /** Calls it when a connection is lost. */
  onLost(lost: () => void): void;
  /** @throws while the store is away */
  ping(): Promise<unknown>;
  /** Ends the connections; what is under way fails. */
  close(): Promise<void>;
}

/** How a worker works, in every store. */
export const WORKER = {
  /** Jobs done at the same time per queue and process. */
  concurrency: 4,
  /** An idle worker is told of news, and waits for its next due job; it looks by itself after so many seconds. */
  drainDelay: 60,
  /** Pause after a failed look, in ms. */
  runRetryDelay: 1_000,
};

/** Nobody reads BullMQ's own events. */
export const EVENTS = { events: { maxLen: 100 } };

const OVERDUE_MS = 10_000;

/**
 * BullMQ over an open store: a queue for each name, a worker for each handler. BullMQ remembers a failed start for ever
 * and says nothing, so a session is made when its store has answered, and thrown away whole when it is in doubt.
 */
export class BullmqSession {
  /** Something went wrong that BullMQ may not recover from. */
  inDoubt = false;
  private readonly queues = new Map<string, StoredQueue>();
  private readonly workers: { readonly name: string; readonly worker: StoreWorker }[] = [];
  private running = 0;

  constructor(
    private readonly store: BullmqStore,
    handlers: ReadonlyMap<string, JobHandler>,
  ) {
    store.onLost(() => (this.inDoubt = true));
    for (const [name, handler] of handlers) this.work(name, handler);
  }

  async add(queue: string, { id, data, dueAt }: Job): Promise<void> {
    await this.queue(queue).add(queue, data, {
      jobId: id,
      delay: Math.max(0, dueAt.getTime() - Date.now()),
      attempts: 1,
      // The id is free again as soon as the job is done.
      removeOnComplete: true,
      removeOnFail: true,
    });
  }

  /** Is there a job that should have been done long ago while nothing is being done? @throws while the store is away */
  async isStuck(): Promise<boolean> {
    await this.store.ping();
    if (this.running > 0) return false;
    for (const { name } of this.workers) {
      const [job] = await this.queue(name).getJobs(['waiting', 'delayed'], 0, 0, true);
      if (job !== undefined && job.timestamp + job.delay < Date.now() - OVERDUE_MS) return true;
    }
    return false;
  }

  /** Resolves when the jobs that are being done are done. */
  async close(): Promise<void> {
    await Promise.all(this.workers.map(({ worker }) => worker.close(false)));
    await this.end();
  }

  /** Waits for nothing: its connections may be broken, and another worker will do its jobs again. */
  discard(): void {
    void Promise.allSettled([...this.workers.map(({ worker }) => worker.close(true)), this.end()]);
  }

  private async end(): Promise<void> {
    await Promise.allSettled([...this.queues.values()].map((queue) => queue.close()));
    await this.store.close();
  }

  private work(name: string, handler: JobHandler): void {
    const worker = this.store.worker(name, async ({ data }) => {
      this.running += 1;
      await handler(data).finally(() => (this.running -= 1));
    });
    worker.on('error', () => (this.inDoubt = true));
    this.workers.push({ name, worker });
  }

  private queue(name: string): StoredQueue {
    const known = this.queues.get(name);
    if (known !== undefined) return known;
    const queue = this.store.queue(name);
    queue.on('error', () => (this.inDoubt = true));
    this.queues.set(name, queue);
    return queue;
  }
}
