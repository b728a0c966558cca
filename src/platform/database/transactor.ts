import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import type { DomainEvent } from '../../shared/domain-event.js';
import { type EffectKey, findEffects, type StoredEffect, storeEffects } from '../idempotency/effect-key.js';
import { currentKeyedRequest, runUnkeyed } from '../idempotency/keyed-request.js';
import { runAll } from './after-commit.js';
import {
  CommitUnknown,
  commitOutcome,
  commitWithEvents,
  type DoubtfulTransaction,
  ROLLBACK,
} from './commit.js';
import { DatabaseConnection } from './database-connection.js';
import { LogWriter } from './log-writer.js';
import { opening } from './opening.js';
import { pipeline } from './pipeline.js';
import { databaseAway, isConnectionLost, isWorthRepeating, toRefusal } from './postgres-errors.js';
import type { Sql, Statement } from './statement.js';

const CONNECTIONS = 4;
const REPEATS = 5;

/** A transaction of its own, for what no batch can hold: evaluations, sweeps, registrations. */
export interface Transaction {
  /** Database time at the start of the transaction, ISO 8601 with milliseconds. */
  readonly now: string;
  query<R>(sql: Sql, values?: readonly unknown[]): Promise<R[]>;
  /** A write that needs no answer; it goes with the COMMIT in one round trip, in the order given. */
  write(statement: Statement): void;
  /** Adds an event; events are inserted last, under the log's lock. */
  record(event: DomainEvent): void;
  afterCommit(run: () => void): void;
}

/** Runs work in one transaction that ends as every writing transaction does: events last, under the log's lock. */
@Injectable()
export class Transactor {
  private readonly pool: pg.Pool;

  constructor(
    private readonly connection: DatabaseConnection,
    private readonly log: LogWriter,
  ) {
    this.pool = connection.pool(connection.writing('transactions'), CONNECTIONS);
  }

  /**
   * Runs `work` and commits. It is run again, from the start, when a unique key, a deadlock or a lost connection undid
   * it; so it keeps no state outside. Lock waits are bounded (2 s, then 503).
   *
   * In a request with an Idempotency-Key the result is stored too, and a repeated request gets it without any work: so the
   * result is plain JSON and holds all that the answer needs.
   */
  async run<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const effect = currentKeyedRequest()?.nextTransaction();
    for (let round = 1; ; round += 1) {
      try {
        return await this.once(work, effect);
      } catch (error) {
        const repeat = isWorthRepeating(error) || error === REPLAY;
        if (!repeat || round === REPEATS) throw error === REPLAY ? databaseAway() : toRefusal(error);
      }
    }
  }

  async close(): Promise<void> {
    await this.pool.end();
  }

  private async once<T>(work: (tx: Transaction) => Promise<T>, effect: EffectKey | undefined): Promise<T> {
    const client = await this.pool.connect();
    const ending = new Ending(this.log);
    let broken = false;
    try {
      const facts = (await pipeline(client, opening(client, true))).at(-1)?.[0];
      const [xid, now] = [String(facts?.['xid']), String(facts?.['now'])];
      const [stored] = effect === undefined ? [] : await this.stored(client, effect);
      if (effect !== undefined && stored !== undefined) {
        await pipeline(client, [ROLLBACK]);
        // What this very work resulted in when it was done.
        return effect.replay(stored) as T;
      }
      const result = await work(ending.transaction(client, now));
      if (effect !== undefined) ending.writes.push(storeEffects([effect.row(result)]));
      const firstPos = await commitWithEvents(client, this.log, ending.writes, ending.events).catch(
        (error: unknown) => this.lostCommit(error, { xid, now, events: ending.events }),
      );
      runUnkeyed(() => ending.committed(firstPos));
      return result;
    } catch (error) {
      broken = error === REPLAY || isConnectionLost(error);
      if (!broken) await pipeline(client, [ROLLBACK]).catch(() => (broken = true));
      throw error;
    } finally {
      client.release(broken);
    }
  }

  private async stored(client: pg.ClientBase, effect: EffectKey): Promise<StoredEffect[]> {
    // The row's shape is findEffects' column list.
    return (await pipeline(client, [findEffects([effect])])).flat() as unknown as StoredEffect[];
  }

  /** Meets a COMMIT without an answer: returns if it is known to be committed (the log alone knows the positions). */
  private async lostCommit(error: unknown, transaction: DoubtfulTransaction): Promise<undefined> {
    if (!(error instanceof CommitUnknown)) throw error;
    const outcome = await commitOutcome(transaction, this.connection.serving('commit check'));
    if (outcome === 'aborted') throw REPLAY;
    if (outcome === 'unknown') throw databaseAway();
  }
}

/** What a transaction gathers for its end. */
class Ending {
  readonly writes: Statement[] = [];
  readonly events: DomainEvent[] = [];
  private readonly afterCommits: (() => void)[] = [];

  constructor(private readonly log: LogWriter) {}

  transaction(client: pg.ClientBase, now: string): Transaction {
    return {
      now,
      query: async <R>(sql: Sql, values: readonly unknown[] = []) =>
        // What was put off is part of what a later statement must see.
        (await pipeline(client, [...this.writes.splice(0), { ...sql, values }])).at(-1) as R[],
      write: (statement) => this.writes.push(statement),
      record: (event) => this.events.push(event),
      afterCommit: (run) => this.afterCommits.push(run),
    };
  }

  committed(firstPos: number | undefined): void {
    this.log.committed(this.events, firstPos);
    runAll(this.afterCommits);
  }
}

const REPLAY = new Error('the transaction was aborted when its connection was lost');
