import { Injectable, Logger } from '@nestjs/common';
import { DomainError } from '../../shared/domain-error.js';
import type { BatchHandler, LockMode } from './batch.js';
import { BatchRun, type Entry } from './batch-run.js';
import { currentKeyedRequest, runUnkeyed } from '../idempotency/keyed-request.js';
import { CommitUnknown, commitOutcome, ROLLBACK } from './commit.js';
import { DatabaseConnection } from './database-connection.js';
import { LaneClient } from './lane-client.js';
import { LogWriter } from './log-writer.js';
import { pipeline } from './pipeline.js';
import { databaseAway, isConnectionLost, isOverdue, isWorthRepeating, toRefusal } from './postgres-errors.js';
import { SlowPath } from './slow-path.js';

const BATCH_COMMANDS = 256;
const BATCH_BYTES = 4 * 1024 * 1024;
const WAITING_COMMANDS = 10_000;
const WAITING_BYTES = 64 * 1024 * 1024;
/** A request is answered within 30 s or not at all (CONTRACT §1). */
const COMMAND_LIFETIME_MS = 30_000;
const REPEATS = 5;

/**
 * The one lane of this process through which commands become commits. While one transaction commits, the commands that
 * arrive gather, and go together in the next: lock all rows, decide each, write all, append all events, COMMIT
 * (DESIGN §4). A command alone is a batch of one and waits for nobody.
 *
 * - A refusal fails its own command only. A statement that the database refuses is found by halving the batch.
 * - A command whose row is busy goes to the slow path, where it waits for its rows (2 s) in a transaction of its own.
 * - A connection lost before COMMIT: the batch is done again. Lost during COMMIT: Postgres is asked what became of it.
 */
@Injectable()
export class Batcher {
  private readonly logger = new Logger(Batcher.name);
  private readonly lane: LaneClient;
  private readonly slowPath: SlowPath;
  private waiting: Entry[] = [];
  private waitingBytes = 0;
  private running: Promise<void> | undefined;

  constructor(
    private readonly connection: DatabaseConnection,
    private readonly log: LogWriter,
  ) {
    this.lane = new LaneClient(() => connection.writing('lane'));
    this.slowPath = new SlowPath((entry) => this.runAlone(entry));
  }

  /**
   * Does a command and answers when it is committed.
   * @param bytes the command's rough size: batches and the queue are bounded by it
   * @param joins it may join a batch that is under way, ahead of what was submitted before it
   * @throws DomainError SERVICE_UNAVAILABLE when too much waits already, or Postgres is away
   */
  submit<C, R>(handler: BatchHandler<C, R>, command: C, bytes = 512, joins = false): Promise<R> {
    if (this.waiting.length >= WAITING_COMMANDS || this.waitingBytes + bytes > WAITING_BYTES) {
      return Promise.reject(
        new DomainError('SERVICE_UNAVAILABLE', 'The server has more work waiting than it can hold.', {
          retry_after: 1,
        }),
      );
    }
    return new Promise<R>((resolve, reject) => {
      const effect =
        handler.effects &&
        currentKeyedRequest()?.effect(`${handler.name} ${handler.effects.nameOf(command)}`);
      const expiresAt = Date.now() + COMMAND_LIFETIME_MS;
      const entry = { handler, command, bytes, joins, expiresAt, effect, resolve, reject };
      // A handler's own commands and results come back to it alone, whatever else shares its batch.
      this.waiting.push(entry);
      this.waitingBytes += bytes;
      // setImmediate: whatever this turn of the event loop still brings joins the batch, at no delay.
      // The lane serves all requests, whichever of them set it off.
      this.running ??= runUnkeyed(
        () => new Promise<void>((done) => setImmediate(() => void this.drain().finally(done))),
      );
    });
  }

  /** Resolves when everything that was submitted is answered. */
  async close(): Promise<void> {
    while (this.running !== undefined) await this.running;
    await this.slowPath.close();
    await this.lane.discard();
  }

  private async drain(): Promise<void> {
    try {
      for (let batch = this.take(); batch.length > 0; batch = this.take()) await this.runBatch(batch);
    } finally {
      // Also after a defect, or close() would wait for ever.
      this.running = undefined;
    }
  }

  private take(): Entry[] {
    const batch: Entry[] = [];
    let bytes = 0;
    let taken = 0;
    for (const entry of this.waiting) {
      if (batch.length >= BATCH_COMMANDS || (batch.length > 0 && bytes + entry.bytes > BATCH_BYTES)) break;
      taken += 1;
      this.waitingBytes -= entry.bytes;
      if (isExpired(entry)) {
        entry.reject(databaseAway());
        continue;
      }
      bytes += entry.bytes;
      batch.push(entry);
    }
    this.waiting.splice(0, taken);
    return batch;
  }

  /** Those that may join a batch of so many. What belongs to a keyed request is looked up first, so it may not. */
  private takeJoining(inBatch: number): Entry[] {
    const joining: Entry[] = [];
    const mayJoin = (entry: Entry): boolean =>
      entry.joins && entry.effect === undefined && inBatch + joining.length < BATCH_COMMANDS;
    this.waiting = this.waiting.filter((entry) => {
      if (!mayJoin(entry)) return true;
      joining.push(entry);
      this.waitingBytes -= entry.bytes;
      return false;
    });
    return joining;
  }

  private putBack(entries: readonly Entry[]): void {
    this.waiting.unshift(...entries);
    for (const { bytes } of entries) this.waitingBytes += bytes;
  }

  private async runBatch(entries: readonly Entry[], mayBeJoined = true): Promise<void> {
    const joined: Entry[] = [];
    try {
      await this.transact(entries, 'skip', this.lane, mayBeJoined ? joined : undefined);
    } catch (error) {
      this.putBack(joined);
      if (joined.length > 0 && !isOutage(error)) return this.runBatch(entries, false);
      if (isOutage(error) || entries.length === 1) {
        const refusal = toRefusal(error);
        // A lone command that lost a race (a unique key, a deadlock) is done again where it may wait.
        const again = entries.length === 1 && isWorthRepeating(error);
        for (const entry of entries) {
          if (again) this.slowPath.add(entry);
          else entry.reject(refusal);
        }
        return;
      }
      this.logger.warn(
        `a batch of ${entries.length} is halved: ${error instanceof Error ? error.message : String(error)}`,
      );
      const half = Math.ceil(entries.length / 2);
      await this.runBatch(entries.slice(0, half), mayBeJoined);
      await this.runBatch(entries.slice(half), mayBeJoined);
    }
  }

  private async runAlone(entry: Entry): Promise<void> {
    const client = new LaneClient(() => this.connection.writing('slow path'));
    try {
      for (let round = 1; ; round += 1) {
        try {
          return await this.transact([entry], 'wait', client);
        } catch (error) {
          if (round === REPEATS || !isWorthRepeating(error)) return entry.reject(toRefusal(error));
        }
      }
    } finally {
      await client.discard();
    }
  }

  /**
   * Runs one transaction over the entries and answers them; a lost connection is met here, other errors are thrown.
   * @param joined takes those that joined, which are not answered when this throws; absent: none may
   */
  private async transact(
    entries: readonly Entry[],
    mode: LockMode,
    lane: LaneClient,
    joined?: Entry[],
  ): Promise<void> {
    const join = (): readonly Entry[] => {
      const more = this.takeJoining(entries.length + (joined?.length ?? 0));
      joined?.push(...more);
      return more;
    };
    for (let round = 1; ; round += 1) {
      const client = await lane.open();
      const run = new BatchRun(entries, mode, joined !== undefined && round === 1 ? join : undefined);
      try {
        return this.answer(run, await run.execute(client, this.log));
      } catch (error) {
        if (error instanceof CommitUnknown) {
          await lane.discard();
          const outcome = await commitOutcome(run, this.connection.serving('commit check'));
          if (outcome === 'committed') return this.answer(run, undefined);
          this.putBack(joined?.splice(0) ?? []);
          if (outcome === 'unknown' || round === REPEATS || entries.every(isExpired)) throw databaseAway();
        } else if (isConnectionLost(error)) {
          await lane.discard();
          this.putBack(joined?.splice(0) ?? []);
          if (round === REPEATS || entries.every(isExpired)) throw error;
        } else {
          await pipeline(client, [ROLLBACK]).catch(() => lane.discard());
          throw error;
        }
      }
    }
  }

  private answer(run: BatchRun, firstPos: number | undefined): void {
    this.log.committed(run.events, firstPos);
    for (const [entry, outcome] of run.outcomes) {
      if ('done' in outcome) entry.resolve(outcome.done);
      else if ('refused' in outcome) entry.reject(outcome.refused);
      else this.slowPath.add(entry);
    }
    run.runAfterCommits();
  }
}

/** Nobody waits for its answer any more. */
const isExpired = (entry: Entry): boolean => entry.expiresAt < Date.now();

/** It is the database that failed, not one of the batch's statements: halving the batch would find nothing. */
function isOutage(error: unknown): boolean {
  return isConnectionLost(error) || isOverdue(error) || error instanceof DomainError;
}
