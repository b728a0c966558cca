import { Logger } from '@nestjs/common';
import { BullmqSession, type BullmqStore, type JobHandler } from './bullmq-session.js';
import { type Job, JobQueue } from './job-queue.port.js';

const WATCH_MS = 5_000;
/** Jobs that are being added at the same time; more are dropped, as a store that stands still must not fill the memory. */
const ADDING = 1_000;

/** Connects to where the jobs are kept. @throws while that is away */
export type OpenStore = (workers: number) => Promise<BullmqStore>;

/**
 * Jobs by BullMQ, on Postgres or on Redis. A watchdog opens a new session when the store is back, when it does not
 * answer, when BullMQ reported an error of its own, and when a job is overdue that nobody does.
 */
export class BullmqJobQueue extends JobQueue {
  private readonly logger = new Logger('JobQueue');
  private readonly handlers = new Map<string, JobHandler>();
  private session: BullmqSession | undefined;
  private looking: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private away = false;
  private adding = 0;

  constructor(private readonly openStore: OpenStore) {
    super();
  }

  async add(queue: string, job: Job): Promise<void> {
    if (this.session === undefined || this.adding >= ADDING) return;
    this.adding += 1;
    try {
      await this.session.add(queue, job);
    } catch (error) {
      this.isAway(error);
    } finally {
      this.adding -= 1;
    }
  }

  process(queue: string, handler: JobHandler): void {
    this.handlers.set(queue, async (data) => {
      try {
        await handler(data);
      } catch (error) {
        // No second try: what it would have done is found by a sweep.
        this.logger.error(`a job of ${queue} failed`, error instanceof Error ? error.stack : String(error));
      }
    });
  }

  /** @param work false: only adds jobs, and leaves them to other processes */
  async open(work: boolean): Promise<void> {
    if (!work) this.handlers.clear();
    this.timer = setInterval(() => void this.look(), WATCH_MS);
    await this.look();
  }

  /** Resolves when the jobs that are being done are done. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
    await this.session?.close();
    this.session = undefined;
  }

  private look(): Promise<void> {
    this.looking ??= this.watch().finally(() => (this.looking = undefined));
    return this.looking;
  }

  private async watch(): Promise<void> {
    try {
      if (this.session !== undefined && (await isDoubtful(this.session))) this.discard();
      this.session ??= await this.openSession();
      if (this.away) this.logger.log('the job queue is back');
      this.away = false;
    } catch (error) {
      this.discard();
      this.isAway(error);
    }
  }

  private async openSession(): Promise<BullmqSession> {
    return new BullmqSession(await this.openStore(this.handlers.size), this.handlers);
  }

  private discard(): void {
    this.session?.discard();
    this.session = undefined;
  }

  private isAway(error: unknown): void {
    if (!this.away) {
      const reason = error instanceof Error ? error.message : String(error);
      this.logger.warn(`the job queue is away (${reason}); sweeps find what its jobs would have woken`);
    }
    this.away = true;
  }
}

/** A store that does not answer for as long as the watchdog sleeps is one that is away. */
async function isDoubtful(session: BullmqSession): Promise<boolean> {
  if (session.inDoubt) return true;
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it does not answer')), WATCH_MS);
  });
  return Promise.race([session.isStuck(), tooLong]).finally(() => clearTimeout(timer));
}
