import { DomainError } from '../../shared/domain-error.js';
import type { Entry } from './batch-run.js';

const AT_ONCE = 4;
const WAITING = 1_000;

/** Commands that have to wait for a row, one transaction each, four at most at once, so that the lane waits for nobody. */
export class SlowPath {
  private readonly waiting: Entry[] = [];
  private readonly running = new Set<Promise<void>>();

  constructor(private readonly run: (entry: Entry) => Promise<void>) {}

  add(entry: Entry): void {
    if (this.waiting.length >= WAITING) {
      entry.reject(
        new DomainError('SERVICE_UNAVAILABLE', 'Too many commands wait for busy rows.', { retry_after: 1 }),
      );
      return;
    }
    this.waiting.push(entry);
    this.next();
  }

  /** Resolves when everything that waits is answered. */
  async close(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running);
  }

  private next(): void {
    if (this.running.size >= AT_ONCE) return;
    const entry = this.waiting.shift();
    if (entry === undefined) return;
    const done = this.run(entry)
      .catch((error: unknown) => entry.reject(error))
      .finally(() => {
        this.running.delete(done);
        this.next();
      });
    this.running.add(done);
    this.next();
  }
}
