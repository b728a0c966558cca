import { Injectable } from '@nestjs/common';
import type { LoggedEvent } from '../shared/domain-event.js';
import type { Cursor } from './domain/cursor.js';
import type { EventFilter } from './domain/event-filter.js';
import { EventLog, type Resumption } from './event-log.js';
import { type Consumer, EventRouter, isFor } from './event-router.js';
import { type Envelope, Envelopes } from './envelope.js';
import { TopicTrie } from './topic-trie.js';

const PAGE = 500;
/** Live events that may gather while a reader is still shown the past. */
const HELD = 10_000;

/** What a reader wants, and where it goes. */
export interface StreamSpec {
  readonly projectId: string;
  readonly patterns: readonly string[];
  readonly filter: EventFilter;
  event(event: LoggedEvent): void;
  gap(gap: NonNullable<Resumption['gap']>): void;
  /** The past is told; what follows is live. */
  replayed(): void;
  /** More came than the reader could take. */
  overrun(): void;
  /** Resolves when the reader can take more of the past. */
  ready(): Promise<void>;
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
   * Begins at once. With `after`, live events are held back while the log is read up to the moment the stream began.
   * @returns where the live part begins, and how to end it
   */
  open(spec: StreamSpec, after: Cursor | undefined): { readonly liveFrom: number; close(): void } {
    const stream = new Stream(spec, after === undefined);
    this.router.subscribe(stream);
    const liveFrom = this.router.reached;
    if (after !== undefined) {
      void this.replay(stream, after, liveFrom).catch(() => {
        // The database went away in the middle of the past: the reader comes back with the cursor it has.
        stream.closed = true;
        spec.overrun();
      });
    }
    const close = (): void => {
      stream.closed = true;
      this.router.unsubscribe(stream);
    };
    return { liveFrom, close };
  }

  private async replay(stream: Stream, after: Cursor, upTo: number): Promise<void> {
    const { pos, gap } = await this.log.resume(after);
    if (gap !== undefined) stream.spec.gap(gap);
    let from = pos;
    while (!stream.closed && from < upTo) {
      const page = await this.log.page(stream.projectId, from, upTo, PAGE);
      for (const event of page) {
        if (stream.wants(event, this.envelopes.of(event))) stream.spec.event(event);
      }
      from = page.length < PAGE ? upTo : (page.at(-1)?.pos ?? upTo);
      await stream.spec.ready();
    }
    stream.goLive();
  }
}

class Stream implements Consumer {
  readonly projectId: string;
  readonly patterns: readonly string[];
  readonly filter: EventFilter;
  closed = false;
  private readonly topics = new TopicTrie<true>();
  private held: LoggedEvent[] = [];

  constructor(
    readonly spec: StreamSpec,
    private live: boolean,
  ) {
    this.projectId = spec.projectId;
    this.patterns = spec.patterns;
    this.filter = spec.filter;
    for (const pattern of spec.patterns) this.topics.add(pattern, true);
  }

  /** For what is read from the past; of live events the router knows. */
  wants(event: LoggedEvent, envelope: Envelope): boolean {
    return this.topics.match(event.topic, event.type).size > 0 && isFor(this, envelope);
  }

  deliver(event: LoggedEvent): void {
    if (this.closed) return;
    if (this.live) this.spec.event(event);
    else if (this.held.length < HELD) this.held.push(event);
    else {
      this.closed = true;
      this.spec.overrun();
    }
  }

  goLive(): void {
    if (this.closed) return;
    this.spec.replayed();
    this.live = true;
    for (const event of this.held.splice(0)) this.spec.event(event);
  }
}
