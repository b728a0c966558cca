import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { LoggedEvent } from '../shared/domain-event.js';
import { encodeCursor, type Cursor } from './domain/cursor.js';
import type { Selection } from './domain/selection.js';
import type { Consumer } from './audience.js';
import { Envelopes } from './envelope.js';
import { EventLog, type Resumption } from './event-log.js';
import { EventRouter } from './event-router.js';
import { matcherOf } from './selection-matcher.js';

const PAGE = 500;

/** What a reader wants, and where it goes. */
export interface StreamSpec {
  readonly selection: Selection;
  event(event: LoggedEvent): void;
  gap(gap: NonNullable<Resumption['gap']>): void;
  /** The past is told, up to a cursor, however little of it was wanted; what follows is live. */
  replayed(cursor: string): void;
  /** The past cannot be read now; nothing follows. */
  broken(): void;
  /** Resolves when the reader can take more of the past. */
  ready(): Promise<void>;
}

/** A stream that was opened: the cursor it begins after, and how to end it. */
export interface OpenStream {
  readonly cursor: string;
  /** All that it wants up to here is told: another stream may go on from there. */
  readonly position: Cursor;
  close(): void;
}

/** Replay, then live, with nothing between and nothing twice. */
@Injectable()
export class EventStreams {
  constructor(
    private readonly router: EventRouter,
    private readonly log: EventLog,
    private readonly envelopes: Envelopes,
  ) {}

  /**
   * Without `after` it is live at once. With it the log is read first, at the reader's pace, until it has caught up with
   * the router; this begins in the next turn, so that whoever opened the stream can tell about it before.
   */
  open(spec: StreamSpec, after: Cursor | undefined): OpenStream {
    const stream = new Stream(spec);
    if (after === undefined) this.goLive(stream, this.router.reached);
    else
      this.replay(stream, after).catch(() => {
        if (!stream.closed) spec.broken();
      });
    const { router, log } = this;
    return {
      get position(): Cursor {
        if (stream.live) return log.at(Math.max(stream.reached, router.reached));
        return stream.begun || after === undefined ? log.at(stream.reached) : after;
      },
      cursor: after === undefined ? this.log.cursor(this.router.reached) : encodeCursor(after),
      close: () => {
        stream.closed = true;
        stream.leave();
      },
    };
  }

  private async replay(stream: Stream, after: Cursor): Promise<void> {
    await nextTurn();
    const { pos, gap } = await this.log.resume(after);
    if (gap !== undefined && !stream.closed) stream.spec.gap(gap);
    let from = pos;
    stream.reached = from;
    stream.begun = true;
    const wants = matcherOf(stream.selection, this.envelopes);
    while (!stream.closed && from < this.router.reached) {
      // A slow reader may be overtaken by the retention.
      const overtaken = await this.log.resumeAt(from);
      if (overtaken.gap !== undefined) stream.spec.gap(overtaken.gap);
      from = overtaken.pos;
      const upTo = this.router.reached;
      const { events, ended } = await this.log.page(stream.selection, from, upTo, PAGE);
      for (const event of events) {
        if (wants(event)) stream.tell(event);
        stream.reached = event.pos;
        await stream.spec.ready();
      }
      from = ended ? upTo : (events.at(-1)?.pos ?? upTo);
      stream.reached = from;
    }
    if (stream.closed) return;
    stream.spec.replayed(this.log.cursor(from));
    // No wait lies between the last look at the router and this: nothing falls between.
    this.goLive(stream, from);
  }

  private goLive(stream: Stream, from: number): void {
    stream.reached = from;
    stream.live = true;
    stream.leave = this.router.subscribe(stream);
  }
}

class Stream implements Consumer {
  readonly selection: Selection;
  closed = false;
  /** It is known where it begins. */
  begun = false;
  live = false;
  /** Ends its being live. */
  leave = (): void => {};
  /** Told up to here. A cursor of another process, or of `GET /events`, may be ahead of this process's router. */
  reached = 0;

  constructor(readonly spec: StreamSpec) {
    this.selection = spec.selection;
  }

  /** An event of the past. */
  tell(event: LoggedEvent): void {
    if (!this.closed) this.spec.event(event);
  }

  deliver(event: LoggedEvent): void {
    if (this.closed || event.pos <= this.reached) return;
    this.reached = event.pos;
    this.spec.event(event);
  }
}
