import { Injectable } from '@nestjs/common';
import { decodeCursor } from './domain/cursor.js';
import { type Envelope, Envelopes } from './envelope.js';
import { EventLog, type Resumption } from './event-log.js';
import { EventRouter } from './event-router.js';
import { TopicTrie } from './topic-trie.js';

const SCAN = 500;
/** Rows looked at for one page; a page that matches little ends here, with a cursor to go on from. */
const SCAN_AT_MOST = 20_000;

export interface PageAsk {
  readonly projectId: string;
  readonly patterns: readonly string[];
  readonly after: string | undefined;
  readonly correlationId: string | undefined;
  readonly limit: number;
  readonly waitMs: number;
}

export interface EventPage {
  readonly items: (Envelope | { readonly gap: NonNullable<Resumption['gap']> })[];
  readonly next_cursor: string;
}

/** The log in pages: the same cursor, order and gap rule as every stream. */
@Injectable()
export class EventPages {
  constructor(
    private readonly log: EventLog,
    private readonly router: EventRouter,
    private readonly envelopes: Envelopes,
  ) {}

  /** One page; when it would be empty, waits for the first match. */
  async read(ask: PageAsk, gone: AbortSignal): Promise<EventPage> {
    const start =
      ask.after === undefined ? { pos: 0, gap: undefined } : await this.log.resume(decodeCursor(ask.after));
    const items: EventPage['items'] = start.gap === undefined ? [] : [{ gap: start.gap }];
    const deadline = Date.now() + ask.waitMs;
    let pos = start.pos;
    for (;;) {
      const news = this.news(ask, deadline - Date.now(), gone);
      try {
        const found = await this.scan(ask, pos);
        pos = found.pos;
        items.push(...found.items);
        const over = Date.now() >= deadline || gone.aborted;
        if (items.length > 0 || found.more || over) return { items, next_cursor: this.log.cursor(pos) };
        await news.heard;
      } finally {
        news.cancel();
      }
    }
  }

  private async scan(
    ask: PageAsk,
    after: number,
  ): Promise<{ items: Envelope[]; pos: number; more: boolean }> {
    const topics = new TopicTrie<true>();
    for (const pattern of ask.patterns) topics.add(pattern, true);
    const upTo = await this.log.end();
    const items: Envelope[] = [];
    let pos = after;
    for (let looked = 0; looked < SCAN_AT_MOST; looked += SCAN) {
      const rows = await this.log.page(ask.projectId, pos, upTo, SCAN, ask.correlationId);
      for (const event of rows) {
        pos = event.pos;
        if (topics.match(event.topic, event.type).size > 0) items.push(this.envelopes.of(event));
        if (items.length === ask.limit) return { items, pos, more: true };
      }
      if (rows.length < SCAN) return { items, pos: Math.max(pos, upTo), more: false };
    }
    return { items, pos, more: true };
  }

  /** Listening begins before the log is read, so nothing falls between. */
  private news(ask: PageAsk, waitMs: number, gone: AbortSignal): { heard: Promise<void>; cancel(): void } {
    let ring = (): void => {};
    const heard = new Promise<void>((resolve) => (ring = resolve));
    const timer = setTimeout(ring, Math.max(waitMs, 0));
    gone.addEventListener('abort', ring, { once: true });
    const { projectId, patterns } = ask;
    const consumer = { projectId, patterns, filter: {}, deliver: () => ring() };
    this.router.subscribe(consumer);
    const cancel = (): void => {
      ring();
      clearTimeout(timer);
      gone.removeEventListener('abort', ring);
      this.router.unsubscribe(consumer);
    };
    return { heard, cancel };
  }
}
