import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { LogWriter } from '../platform/database/log-writer.js';
import { WakeUp } from '../platform/wake-up/wake-up.port.js';
import type { DomainEvent, LoggedEvent } from '../shared/domain-event.js';
import { Audience, type Consumer } from './audience.js';
import { Envelopes } from './envelope.js';
import { EventLog } from './event-log.js';

const CHANNEL = 'log';
const POLL_MS = 250;
const PAGE = 1_000;

/**
 * The one stream of this process: every committed event of every process, once, in log order. What this process commits
 * is handed over at once; what others commit is read from the log, when a wake-up says so and every 250 ms. Both ways
 * meet in one place: an event is delivered only when all before it were.
 */
@Injectable()
export class EventRouter implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(EventRouter.name);
  private readonly audience: Audience;
  private readonly listeners: ((events: readonly LoggedEvent[]) => void)[] = [];
  private position = 0;
  private reading: Promise<void> | undefined;
  private readAgain = false;
  private poll: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly log: EventLog,
    envelopes: Envelopes,
    private readonly writer: LogWriter,
    private readonly wakeUp: WakeUp,
  ) {
    this.audience = new Audience(envelopes);
  }

  async onModuleInit(): Promise<void> {
    this.position = await this.log.end();
    this.writer.onCommitted((events, firstPos) => this.handOver(events, firstPos));
    this.wakeUp.on(CHANNEL, (positions) => this.hear(positions));
    this.poll = setInterval(() => this.look(), POLL_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearInterval(this.poll);
    await this.reading;
  }

  /** The position up to which everything was delivered. */
  get reached(): number {
    return this.position;
  }

  /**
   * Hears every event of every project but private ones, whose types their senders choose: to modules an event is a fact.
   */
  onEvents(listener: (events: readonly LoggedEvent[]) => void): void {
    this.listeners.push(listener);
  }

  /**
   * From now on the consumer gets what matches: everything after {@link reached}.
   * @returns what ends it
   */
  subscribe(consumer: Consumer): () => void {
    return this.audience.add(consumer);
  }

  /** A commit of this process: delivered at once if it is the next in the log, else found by reading. */
  private handOver(events: readonly DomainEvent[], firstPos: number | undefined): void {
    if (firstPos === this.position + 1 && this.reading === undefined) {
      // Under the log's lock a transaction's positions are contiguous.
      this.deliver(events.map((event, index) => ({ ...event, pos: firstPos + index })));
    } else this.look();
    this.wakeUp.notify(CHANNEL, firstPos === undefined ? 'unknown' : String(firstPos + events.length - 1));
  }

  /**
   * A hint names the newest position it is about. What was reached is no news, above all what came from here: reading
   * it again would cost a query per commit, and a hand-over that meets a reading has to wait for it.
   */
  private hear(positions: ReadonlySet<string>): void {
    const isKnown = positions.size > 0 && [...positions].every((pos) => Number(pos) <= this.position);
    if (!isKnown) this.look();
  }

  /** Reads on from the log until there is nothing more; one reading at a time. */
  private look(): void {
    if (this.stopped) return;
    if (this.reading !== undefined) {
      this.readAgain = true;
      return;
    }
    this.reading = this.readOn()
      .catch((error: unknown) => this.logger.debug(`the log cannot be read now: ${String(error)}`))
      .finally(() => {
        this.reading = undefined;
        if (this.readAgain) {
          this.readAgain = false;
          this.look();
        }
      });
  }

  private async readOn(): Promise<void> {
    for (;;) {
      this.readAgain = false;
      const { events, ended } = await this.log.after(this.position, PAGE);
      if (events.length > 0) this.deliver(events);
      if ((ended && !this.readAgain) || this.stopped) return;
    }
  }

  private deliver(events: readonly LoggedEvent[]): void {
    for (const event of events) {
      this.position = event.pos;
      this.audience.tell(event);
    }
    const facts = events.some(isPrivate) ? events.filter((event) => !isPrivate(event)) : events;
    for (const listener of this.listeners) {
      try {
        listener(facts);
      } catch (error) {
        this.logger.error('an event listener failed', error instanceof Error ? error.stack : String(error));
      }
    }
  }
}

const isPrivate = (event: LoggedEvent): boolean => event.isPrivate === true;
