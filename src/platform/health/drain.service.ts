import { Injectable } from '@nestjs/common';

/** An answer that is still to be sent. */
interface PendingAnswer {
  header(name: string, value: string): unknown;
}

/** How long requests in flight may still take once the server is asked to stop, in ms. */
const PATIENCE_MS = 8_000;

/** The way out: from `start` on, new requests are refused with 503 and those in flight are finished. */
@Injectable()
export class Drain {
  private readonly stopping = new AbortController();
  private readonly pending = new Set<PendingAnswer>();
  private whenIdle: (() => void) | undefined;

  /** Aborted when draining starts: whatever waits (long polls, dispatchers) answers with what it has. */
  get signal(): AbortSignal {
    return this.stopping.signal;
  }

  get started(): boolean {
    return this.stopping.signal.aborted;
  }

  /** @returns a promise that resolves when nothing is in flight any more, after `patienceMs` at the latest */
  async start(patienceMs: number = PATIENCE_MS): Promise<void> {
    this.stopping.abort();
    for (const answer of this.pending) answer.header('Connection', 'close');
    if (this.pending.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, patienceMs);
      this.whenIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  entered(answer: PendingAnswer): void {
    this.pending.add(answer);
  }

  left(answer: PendingAnswer): void {
    this.pending.delete(answer);
    if (this.pending.size === 0) this.whenIdle?.();
  }
}
