import { createPostgresBackend, type Processor, Queue, runMigrations, Worker } from 'bullmq';
import pg from 'pg';
import type { Job, JobData } from './job-queue.port.js';

export type JobHandler = (data: JobData) => Promise<void>;

/** Jobs done at the same time per queue and process. */
const CONCURRENCY = 4;
/** An idle worker waits for a NOTIFY, or for its next due job; it looks by itself after so many seconds. */
const IDLE_LOOK_SECONDS = 60;
const OVERDUE_MS = 10_000;
const SCHEMA = 'bullmq';

/**
 * BullMQ on Postgres: one pool, a queue for each name, a worker for each handler. BullMQ remembers a failed start for
 * ever and says nothing, so a session is opened when Postgres has answered, and thrown away whole when it is in doubt.
 */
export class BullmqSession {
  /** Something went wrong that BullMQ may not recover from. */
  inDoubt = false;
  private readonly queues = new Map<string, ReturnType<typeof makeQueue>>();
  private readonly workers: ReturnType<typeof makeWorker>[] = [];
  private running = 0;

  private constructor(private readonly pool: pg.Pool) {}

  /** @throws while Postgres is away */
  static async open(
    settings: pg.ClientConfig,
    handlers: ReadonlyMap<string, JobHandler>,
  ): Promise<BullmqSession> {
    // Each worker keeps one connection to listen on.
    const pool = new pg.Pool({ ...settings, max: handlers.size + 2, idleTimeoutMillis: 120_000 });
    const session = new BullmqSession(pool);
    pool.on('error', () => (session.inDoubt = true));
    pool.on('connect', (client) => client.on('error', () => {}));
    try {
      const client = await pool.connect();
      await runMigrations(client, SCHEMA).finally(() => client.release());
    } catch (error) {
      await pool.end();
      throw error;
    }
    for (const [name, handler] of handlers) session.work(name, handler);
    return session;
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

  /** Is there a job that should have been done long ago while nothing is being done? @throws while Postgres is away */
  async isStuck(): Promise<boolean> {
    if (this.running > 0) return false;
    for (const { name } of this.workers) {
      const [job] = await this.queue(name).getJobs(['waiting', 'delayed'], 0, 0, true);
      if (job !== undefined && job.timestamp + job.delay < Date.now() - OVERDUE_MS) return true;
    }
    return false;
  }

  /** @param force do not wait for the jobs that are being done; another worker will do them again */
  async close(force: boolean): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.close(force)));
    await Promise.all([...this.queues.values()].map((queue) => queue.close()));
    await this.pool.end();
  }

  private work(name: string, handler: JobHandler): void {
    const worker = makeWorker(name, this.pool, async (job: { data: JobData }) => {
      this.running += 1;
      await handler(job.data).finally(() => (this.running -= 1));
    });
    worker.on('error', () => (this.inDoubt = true));
    this.workers.push(worker);
  }

  private queue(name: string): ReturnType<typeof makeQueue> {
    const known = this.queues.get(name);
    if (known !== undefined) return known;
    const queue = makeQueue(name, this.pool);
    queue.on('error', () => (this.inDoubt = true));
    this.queues.set(name, queue);
    return queue;
  }
}

function makeQueue(name: string, pool: pg.Pool) {
  // Nobody reads BullMQ's own events.
  return new Queue(name, { connection: pool, streams: { events: { maxLen: 100 } } }, createPostgresBackend);
}

function makeWorker(name: string, pool: pg.Pool, processor: Processor<JobData, void>) {
  const options = {
    connection: pool,
    concurrency: CONCURRENCY,
    drainDelay: IDLE_LOOK_SECONDS,
    runRetryDelay: 1_000,
  };
  return new Worker(name, processor, options, createPostgresBackend);
}
