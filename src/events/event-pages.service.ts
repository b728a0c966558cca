import { Injectable } from '@nestjs/common';
import type { Patience } from '../platform/http/patience.js';
import { decodeCursor } from './domain/cursor.js';
import type { Selection } from './domain/selection.js';
import { type Envelope, Envelopes } from './envelope.js';
import { EventLog, type Resumption } from './event-log.js';
import { EventRouter } from './event-router.js';
import { PAGE_BYTES } from './persistence/event-rows.js';
import { matcherOf } from './selection-matcher.js';

/** Rows read at once when those of the first look did not fill the page. */
const SCAN = 1_000;
/** How long one request looks through the log, in ms: rare topics in a long log would outlast its deadline of 30 s. */
const SCAN_MS = 20_000;

export interface PageAsk {
  readonly selection: Selection;
  readonly after: string | undefined;
  readonly limit: number;
  /** How long to wait when there is nothing yet, in milliseconds. */
  readonly waitMs: number;
}

export interface EventPage {
  readonly items: (Envelope | { readonly gap: NonNullable<Resumption['gap']> })[];
  readonly next_cursor: string;
}

interface Scan {
  readonly items: Envelope[];
  /** Up to where the log was looked at. */
  readonly pos: number;
  /** The log goes on, but the request may not: whoever asks goes on from `pos`. */
  readonly cut: boolean;
}

/** The log in pages: the same cursor, order and gap rule as every stream. */
@Injectable()
export class EventPages {
  constructor(
    private readonly log: EventLog,
    private readonly router: EventRouter,
    private readonly envelopes: Envelopes,
  ) {}

  /** One page; when it would be empty, waits for the first match, until its patience ends. */
  async read(ask: PageAsk, patience: Patience): Promise<EventPage> {
    const deadline = Date.now() + ask.waitMs;
    const { pos, gap } =
      ask.after === undefined
        ? { pos: (await this.log.bounds()).start, gap: undefined }
        : await this.log.resume(decodeCursor(ask.after));
    let found = await this.scan(ask, pos, patience);
    const isOver = (): boolean => Date.now() >= deadline || patience.ended;
    while (found.items.length === 0 && gap === undefined && !found.cut && !isOver()) {
      // Listening begins before the log is read again, so nothing falls between.
      const news = this.news(ask, deadline - Date.now(), patience);
      try {
        found = await this.scan(ask, found.pos, patience);
        if (found.items.length === 0 && !found.cut) await news.heard;
      } finally {
        news.cancel();
      }
    }
    const items = gap === undefined ? found.items : [{ gap }, ...found.items];
    return { items, next_cursor: this.log.cursor(found.pos) };
  }

  /** Reads on until the page is full, in events or in bytes, or the log ends, however little matches, as long as a request may take. */
  private async scan(ask: PageAsk, after: number, patience: Patience): Promise<Scan> {
    const giveUpAt = Date.now() + SCAN_MS;
    const wants = matcherOf(ask.selection, this.envelopes);
    const end = await this.log.end();
    const items: Envelope[] = [];
    let bytes = 0;
    let pos = after;
    for (let rows = ask.limit; pos < end && !patience.ended; rows = SCAN) {
      if (Date.now() > giveUpAt) return { items, pos, cut: true };
      const { events, sizes, ended } = await this.log.page(ask.selection, pos, end, rows);
      for (const [index, event] of events.entries()) {
        pos = event.pos;
        if (!wants(event)) continue;
        items.push(this.envelopes.of(event));
        bytes += sizes[index] ?? 0;
        if (items.length === ask.limit || bytes >= PAGE_BYTES) return { items, pos, cut: false };
      }
      if (ended) pos = end;
    }
    return { items, pos, cut: false };
  }

  private news(ask: PageAsk, waitMs: number, patience: Patience): { heard: Promise<void>; cancel(): void } {
    let ring = (): void => {};
    const heard = new Promise<void>((resolve) => (ring = resolve));
    const timer = setTimeout(ring, Math.max(waitMs, 0));
    const forget = patience.onEnd(ring);
    const leave = this.router.subscribe({ selection: ask.selection, deliver: ring });
    const cancel = (): void => {
      clearTimeout(timer);
      forget();
      leave();
    };
    return { heard, cancel };
  }
}
