import { randomBytes } from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Database } from '../platform/database/database.js';
import { JointRead } from '../platform/database/joint-read.js';
import type { LoggedEvent } from '../shared/domain-event.js';
import { encodeCursor, type Cursor } from './domain/cursor.js';
import { reachOf, type Selection } from './domain/selection.js';
import {
  AFTER,
  AGGREGATE,
  BOUNDS,
  EPOCH,
  LATEST,
  MAILBOX_PAGE,
  PAGE_BYTES,
  type PageRow,
  PROJECT_PAGE,
  toEvent,
  type EventRow,
} from './persistence/event-rows.js';

const HISTORY = 1_000;

/** Where a reader goes on, and what it missed on the way: `gap` says that its cursor is of another log, past the end, or older than the retention. */
export interface Resumption {
  readonly pos: number;
  readonly gap: { readonly from: string; readonly to: string } | undefined;
}

interface Bounds {
  /** Up to and with this position events are not kept any more. */
  readonly start: number;
  /** The position of the newest. */
  readonly end: number;
}

/** Some events, in order: as many as were asked for, or fewer if they are large. */
export interface LogPage {
  readonly events: readonly LoggedEvent[];
  /** Of each event's payload, in bytes; rather more than less. */
  readonly sizes: readonly number[];
  /** There was nothing more behind them. */
  readonly ended: boolean;
}

/** The reading end of the log. `pos > cursor` is complete: positions are in commit order (DESIGN §5). */
@Injectable()
export class EventLog implements OnModuleInit {
  private epoch = '';
  /** Readers that come back together, as after a restart, ask together. */
  private readonly boundsOf: JointRead<'log', Bounds>;

  constructor(private readonly database: Database) {
    this.boundsOf = new JointRead(
      (log) => log,
      async () => new Map((await database.query<Bounds>(BOUNDS)).map((row) => ['log', row])),
    );
  }

  async onModuleInit(): Promise<void> {
    const made = randomBytes(6).toString('hex');
    // Two servers may start at once on a new database: the second look reads what the first to commit wrote.
    for (let look = 0; this.epoch === '' && look < 10; look += 1) {
      const [row] = await this.database.query<{ value: string }>(EPOCH, [made]);
      this.epoch = row?.value ?? '';
    }
    if (this.epoch === '') throw new Error('the log has no epoch');
  }

  async bounds(): Promise<Bounds> {
    return (await this.boundsOf.get('log')) ?? { start: 0, end: 0 };
  }

  /** The position of the newest event; 0 in a log that never had one. */
  async end(): Promise<number> {
    return (await this.bounds()).end;
  }

  /** Events of all projects after a position, in order. */
  async after(pos: number, limit: number): Promise<LogPage> {
    return pageOf(await this.database.query<PageRow>(AFTER, [pos, limit]), limit);
  }

  /** What may be what a selection wants: a mailbox's events, or all within its reach, whatever their topics. */
  async page(selection: Selection, pos: number, upTo: number, limit: number): Promise<LogPage> {
    if ('mailbox' in selection)
      return pageOf(
        await this.database.query<PageRow>(MAILBOX_PAGE, [selection.mailbox, pos, upTo, limit]),
        limit,
      );
    const { projectId, correlationId } = reachOf('anyOf' in selection ? selection.anyOf : [selection]);
    const values = [projectId, pos, upTo, correlationId, limit];
    return pageOf(await this.database.query<PageRow>(PROJECT_PAGE, values), limit);
  }

  /** The first thousand events of one aggregate, in the order of their `seq`. */
  async ofAggregate(projectId: string, kind: 'task', aggregateId: string): Promise<LoggedEvent[]> {
    const values = [aggregateId, projectId, kind, HISTORY];
    return (await this.database.query<EventRow>(AGGREGATE, values)).map(toEvent);
  }

  /** The newest event of one type of one aggregate. */
  async latest(projectId: string, aggregateId: string, type: string): Promise<LoggedEvent | undefined> {
    const [row] = await this.database.query<EventRow>(LATEST, [aggregateId, projectId, type]);
    return row === undefined ? undefined : toEvent(row);
  }

  cursor(pos: number): string {
    return encodeCursor(this.at(pos));
  }

  /** The place of a position, for who resumes from there. */
  at(pos: number): Cursor {
    return { epoch: this.epoch, pos };
  }

  /** Is it the epoch of this log, and not of one that it was before a restore? */
  isOwn(epoch: string): boolean {
    return epoch === this.epoch;
  }

  /**
   * Where a cursor leads: in a foreign log, or from before the retention, to the beginning of this one; past the end to
   * the end. All these are a gap. A reader that is given a position has a minute to read its next page from there:
   * that long, nothing after it is dropped.
   */
  async resume(cursor: Cursor): Promise<Resumption> {
    const { start, end } = await this.bounds();
    const isKnown = this.isOwn(cursor.epoch) && start <= cursor.pos && cursor.pos <= end;
    if (isKnown) return { pos: cursor.pos, gap: undefined };
    const pos = this.isOwn(cursor.epoch) && cursor.pos > end ? end : start;
    return { pos, gap: { from: encodeCursor(cursor), to: this.cursor(pos) } };
  }

  /** As {@link resume}, for a reader that is on its way. */
  resumeAt(pos: number): Promise<Resumption> {
    return this.resume(this.at(pos));
  }
}

function pageOf(rows: readonly PageRow[], limit: number): LogPage {
  const sizes = rows.map(({ size }) => size);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return { events: rows.map(toEvent), sizes, ended: rows.length < limit && bytes < PAGE_BYTES };
}
