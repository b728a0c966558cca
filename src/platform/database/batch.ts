import type { DomainEvent } from '../../shared/domain-event.js';
import type { Row, Statement } from './statement.js';

/** `skip`: in a batch, a busy row is left out. `wait`: on the slow path, one command waits for its rows (2 s at most). */
export type LockMode = 'skip' | 'wait';

/** What one command of a batch came to. `busy`: its row was locked by somebody else; it goes to the slow path. */
export type Outcome<R> = { readonly done: R } | { readonly refused: unknown } | { readonly busy: true };

/** One transaction in the making, as a handler's decisions see it. */
export interface Batch {
  /** Database time of this transaction, ISO 8601 with milliseconds. */
  readonly now: string;
  /** `wait`: what is not loaded does not exist. `skip`: it may only be busy. */
  readonly mode: LockMode;
  /** Adds an event; all events of the batch are inserted last, under the log's lock, in the order they were recorded. */
  record(event: DomainEvent): void;
  /** Adds a write. Writes of all handlers go in the handlers' order. */
  write(statement: Statement): void;
  /**
   * Runs when this is decided and not yet written, if other commands may still join the batch: who is woken by it and
   * sends one at once (`joins`) has it done in this very transaction, behind these writes. It must not throw. The batch
   * may yet fail, or be done again without those that joined.
   */
  beforeWrite(run: () => void): void;
  /** Runs when the transaction is committed: wake-ups and reactions. It must not throw. */
  afterCommit(run: () => void): void;
}

/** What can only be picked in SQL after this batch's own writes: claims. */
export interface Pick<R> {
  readonly statements: readonly Statement[];
  /** Turns the picked rows into outcomes and records their events. */
  picked(rows: readonly (readonly Row[])[]): Outcome<R>[];
}

/** How one kind of command is loaded, decided and written, many at a time. */
export interface BatchHandler<C, R> {
  readonly name: string;
  /** Place in the house's lock and write order: workflow → tasks → agents. */
  readonly order: number;
  /** What is kept of its commands for requests with an Idempotency-Key; absent: nothing, as repeating them does no harm. */
  readonly effects?: {
    /** Tells the effects of one request apart. */
    nameOf(command: C): string;
    /** false: nothing has changed, so a repeated request is free to have another result. */
    isEffect(result: R): boolean;
  };
  /** Locks what the commands need, rows by id, and loads it. */
  load(commands: readonly C[], mode: LockMode): Statement[];
  /**
   * Decides every command, in the order they arrived; a later one sees what an earlier one on the same row did.
   * It may be called again with the same commands and freshly loaded rows, so it changes nothing but `batch`.
   */
  decide(commands: readonly C[], loaded: readonly (readonly Row[])[], batch: Batch): Outcome<R>[] | Pick<R>;
}
