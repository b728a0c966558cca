import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { Patience } from '../platform/http/patience.js';
import { rowKey } from '../shared/ids.js';
import { EventRouter } from './event-router.js';

/** Ends of tasks, of the workflows they belong to, and of requests. */
const ENDING = /^((task|workflow)\.(completed|failed|cancelled)|request\.(completed|timed_out))$/;

/** Lets a long poll wait until a task, a workflow or a request has ended, wherever it was ended: it listens to the log. */
@Injectable()
export class EndWatch implements OnModuleInit {
  private readonly watchers = new Map<string, Set<() => void>>();

  constructor(private readonly router: EventRouter) {}

  onModuleInit(): void {
    this.router.onEvents((events) => {
      for (const event of events) {
        if (!ENDING.test(event.type)) continue;
        for (const tell of this.watchers.get(rowKey(event.projectId, event.aggregateId)) ?? []) tell();
      }
    });
  }

  /**
   * Reads, and while `isDone` says no, waits for the end and reads again; at the latest after `waitMs`.
   * Watching begins before the first read, so no end falls between.
   */
  async until<T>(
    key: { readonly id: string; readonly projectId: string },
    waitMs: number,
    read: () => Promise<T>,
    isDone: (found: T) => boolean,
    patience: Patience,
  ): Promise<T> {
    const name = rowKey(key.projectId, key.id);
    let ring = (): void => {};
    const heard = new Promise<void>((resolve) => (ring = resolve));
    const watchers = this.watchers.get(name) ?? new Set();
    watchers.add(ring);
    this.watchers.set(name, watchers);
    const timer = setTimeout(ring, waitMs);
    const forget = patience.onEnd(ring);
    try {
      const found = await read();
      if (waitMs === 0 || isDone(found)) return found;
      await heard;
      return patience.ended ? found : await read();
    } finally {
      clearTimeout(timer);
      forget();
      watchers.delete(ring);
      if (watchers.size === 0) this.watchers.delete(name);
    }
  }
}
