/** What a job carries: ids and such, no truth. */
export type JobData = Readonly<Record<string, string | number>>;

export interface Job {
  /** Letters, digits, `.`, `_`, `-`: while a job of this id waits in its queue, another is not added. */
  readonly id: string;
  readonly data: JobData;
  /** When it is to be done; a moment that has passed means at once. */
  readonly dueAt: Date;
}

/**
 * Wakes a process at a due moment. What is due, and how often it was tried, is in Postgres: a handler looks there and
 * does what it finds.
 *
 * It promises little. A job may be lost, may come late, early (its clock is a process's) or twice, to any process that
 * does work; it is tried once, whatever its handler throws. A job that is added while one of its id is being done may be
 * dropped. So whatever a job wakes, a sweep must find as well, only later.
 */
export abstract class JobQueue {
  /** Resolves when the job is added, or given up: while the queue is away, jobs are dropped. Never rejects. */
  abstract add(queue: string, job: Job): Promise<void>;

  /** Does the jobs of a queue in every process that does work. Call it in `onModuleInit`. */
  abstract process(queue: string, handler: (data: JobData) => Promise<void>): void;
}
