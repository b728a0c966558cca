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
  private readonly waits = new Set<() => void>();
  private stopping = false;
  private readonly pending = new Set<PendingAnswer>();
  private whenIdle: (() => void) | undefined;

  get started(): boolean {
    return this.stopping;
  }

  /** Calls `end` when draining starts: long polls then answer with what they have. @returns what forgets it again */
  onStart(end: () => void): () => void {
    this.waits.add(end);
    return () => this.waits.delete(end);
  }

  /** @returns a promise that resolves when nothing is in flight any more, after `patienceMs` at the latest */
  async start(patienceMs: number = PATIENCE_MS): Promise<void> {
    this.stopping = true;
    for (const end of this.waits) end();
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
