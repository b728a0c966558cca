import { Logger } from '@nestjs/common';
import type pg from 'pg';
import type { BullmqSession, JobHandler } from './bullmq-session.js';
import { type Job, JobQueue } from './job-queue.port.js';

const WATCH_MS = 5_000;

/**
 * Jobs by BullMQ. A watchdog opens a new session when Postgres is back, when BullMQ reported an error of its own, and
 * when a job is overdue that nobody does.
 */
export class BullmqJobQueue extends JobQueue {
  private readonly logger = new Logger('JobQueue');
  private readonly handlers = new Map<string, JobHandler>();
  private session: BullmqSession | undefined;
  private looking: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private away = false;

  /** @param settings of a session connection whose search_path is `bullmq` */
  constructor(private readonly settings: pg.ClientConfig) {
    super();
  }

  async add(queue: string, job: Job): Promise<void> {
    try {
      await this.session?.add(queue, job);
    } catch (error) {
      this.isAway(error);
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
    await this.session?.close(false);
    this.session = undefined;
  }

  private look(): Promise<void> {
    this.looking ??= this.watch().finally(() => (this.looking = undefined));
    return this.looking;
  }

  private async watch(): Promise<void> {
    try {
      const doubtful = this.session !== undefined && (this.session.inDoubt || (await this.session.isStuck()));
      if (doubtful) this.discard();
      this.session ??= await this.openSession();
      if (this.away) this.logger.log('the job queue is back');
      this.away = false;
    } catch (error) {
      this.discard();
      this.isAway(error);
    }
  }

  private async openSession(): Promise<BullmqSession> {
    // Loaded when it is opened: loading it takes an eighth of a start, and no start waits for it.
    const bullmq = await import('./bullmq-session.js');
    return bullmq.BullmqSession.open(this.settings, this.handlers);
  }

  private discard(): void {
    // Its connections may be broken: nobody waits for how it ends.
    this.session?.close(true).catch(() => {});
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
