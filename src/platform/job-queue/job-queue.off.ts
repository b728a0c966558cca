import { JobQueue } from './job-queue.port.js';

/** Drops every job: the sweeps find everything, only later. A test proves that the system is correct so. */
export class NoJobQueue extends JobQueue {
  add(): Promise<void> {
    return Promise.resolve();
  }

  process(): void {}
}
