import type pg from 'pg';
import type { DomainEvent } from '../../shared/domain-event.js';
import { runAll } from './after-commit.js';
import type { Batch, BatchHandler, LockMode, Outcome } from './batch.js';
import { commitWithEvents } from './commit.js';
import { type EffectKey, findEffects, type StoredEffect, storeEffects } from '../idempotency/effect-key.js';
import type { LogWriter } from './log-writer.js';
import { opening } from './opening.js';
import { pipeline } from './pipeline.js';
import type { Row, Statement } from './statement.js';

/** A command that waits in the lane, with what is needed to answer it. */
export interface Entry {
  readonly handler: BatchHandler<unknown, unknown>;
  readonly command: unknown;
  readonly bytes: number;
  /** Process time (ms) after which nobody waits for the answer any more. */
  readonly expiresAt: number;
  /** It may join a batch that is under way. */
  readonly joins: boolean;
  /** Set when it belongs to a request with an Idempotency-Key. */
  readonly effect: EffectKey | undefined;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** Times that commands may join a batch: an end of a task brings on its workflow, whose next task is claimed. */
const JOINS = 2;

/** Statements whose rows are turned into outcomes after all writes. */
interface Picking {
  readonly statements: readonly Statement[];
  settle(rows: readonly (readonly Row[])[]): void;
}

/** Commands of one handler, with what they load. */
interface Group {
  readonly handler: Entry['handler'];
  readonly entries: readonly Entry[];
  readonly load: readonly Statement[];
}

/** A batch's transaction, from BEGIN to COMMIT. What it decided stays here, so that a lost answer can be given later. */
export class BatchRun {
  readonly outcomes = new Map<Entry, Outcome<unknown>>();
  readonly events: DomainEvent[] = [];
  xid = '';
  now = '';
  private readonly writes: Statement[] = [];
  private readonly picks: Picking[] = [];
  private readonly hooks: (() => void)[] = [];
  private readonly afterCommits: (() => void)[] = [];
  /** Keyed commands that were not done before. */
  private readonly undone: { readonly entry: Entry; readonly effect: EffectKey }[] = [];

  /** @param join takes the commands that may join now, if any may at all */
  constructor(
    private readonly entries: readonly Entry[],
    private readonly mode: LockMode,
    private readonly join?: () => readonly Entry[],
  ) {}

  /** @returns the position of the first event, if there are events */
  async execute(client: pg.ClientBase, log: LogWriter): Promise<number | undefined> {
    const begin = opening(client, this.mode === 'wait');
    const effects = this.entries.flatMap(({ effect }) => effect ?? []);
    const find = effects.length === 0 ? [] : [findEffects(effects)];
    let groups = this.groups(this.entries);
    const rows = await pipeline(client, [...begin, ...loadsOf(groups), ...find]);
    // The row's shape is findEffects' column list.
    if (effects.length > 0) this.replay((rows.at(-1) ?? []) as unknown as readonly StoredEffect[]);
    const facts = rows[begin.length - 1]?.[0];
    this.xid = String(facts?.['xid']);
    this.now = String(facts?.['now']);

    let loaded: readonly (readonly Row[])[] = rows.slice(begin.length);
    for (let joins = 0; ; joins += 1) {
      this.decide(groups, loaded, joins < JOINS);
      const joined = await this.joined();
      if (joined.length === 0) break;
      groups = this.groups(joined);
      // What joins reads behind the writes so far.
      const writes = this.writes.splice(0);
      loaded = (await pipeline(client, [...writes, ...loadsOf(groups)])).slice(writes.length);
    }

    const { picks } = this;
    if (picks.length > 0) {
      const writes = this.writes.splice(0);
      const picked = await pipeline(client, [...writes, ...picks.flatMap(({ statements }) => statements)]);
      let from = writes.length;
      for (const pick of picks) {
        pick.settle(picked.slice(from, from + pick.statements.length));
        from += pick.statements.length;
      }
    }
    return commitWithEvents(client, log, [...this.writes, ...this.newEffects()], this.events);
  }

  private decide(groups: readonly Group[], loaded: readonly (readonly Row[])[], mayBeJoined: boolean): void {
    const batch: Batch = {
      now: this.now,
      mode: this.mode,
      record: (event) => this.events.push(event),
      write: (statement) => this.writes.push(statement),
      beforeWrite: (run) => {
        if (mayBeJoined && this.join !== undefined) this.hooks.push(run);
      },
      afterCommit: (run) => this.afterCommits.push(run),
    };
    let at = 0;
    for (const { handler, entries: all, load } of groups) {
      const rows = loaded.slice(at, at + load.length);
      at += load.length;
      const entries = all.filter((entry) => !this.outcomes.has(entry));
      if (entries.length === 0) continue;
      const decided = handler.decide(
        entries.map((entry) => entry.command),
        rows,
        batch,
      );
      if (Array.isArray(decided)) this.keep(entries, decided);
      else
        this.picks.push({
          statements: decided.statements,
          settle: (picked) => this.keep(entries, decided.picked(picked)),
        });
    }
  }

  /** Lets hear what was decided, and takes what those who heard send at once. */
  private async joined(): Promise<readonly Entry[]> {
    const hooks = this.hooks.splice(0);
    if (hooks.length === 0) return [];
    for (const run of hooks) run();
    // Comes when all promises that were resolved by it have been heard, and before anything else.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    return this.join?.() ?? [];
  }

  runAfterCommits(): void {
    runAll(this.afterCommits);
  }

  /** Answers what was done before with the result that was stored; what is in this batch twice is done once. */
  private replay(stored: readonly StoredEffect[]): void {
    const byName = new Map(stored.map((row) => [row.id.toString('base64'), row]));
    const seen = new Set<string>();
    for (const entry of this.entries) {
      const { effect } = entry;
      if (effect === undefined) continue;
      const row = byName.get(effect.name);
      if (row !== undefined) this.outcomes.set(entry, replayed(effect, row));
      else if (seen.has(effect.name)) this.outcomes.set(entry, { busy: true });
      else this.undone.push({ entry, effect });
      seen.add(effect.name);
    }
  }

  private newEffects(): Statement[] {
    const rows = this.undone.flatMap(({ entry, effect }) => {
      const outcome = this.outcomes.get(entry);
      const done = outcome !== undefined && 'done' in outcome;
      return done && entry.handler.effects?.isEffect(outcome.done) === true ? [effect.row(outcome.done)] : [];
    });
    return rows.length === 0 ? [] : [storeEffects(rows)];
  }

  private keep(entries: readonly Entry[], outcomes: readonly Outcome<unknown>[]): void {
    for (const [index, entry] of entries.entries()) {
      this.outcomes.set(
        entry,
        outcomes[index] ?? { refused: new Error(`no outcome from ${entry.handler.name}`) },
      );
    }
  }

  private groups(of: readonly Entry[]): Group[] {
    const byHandler = new Map<Entry['handler'], Entry[]>();
    for (const entry of of) {
      const group = byHandler.get(entry.handler);
      if (group === undefined) byHandler.set(entry.handler, [entry]);
      else group.push(entry);
    }
    return [...byHandler.entries()]
      .toSorted(([a], [b]) => a.order - b.order)
      .map(([handler, entries]) => ({
        handler,
        entries,
        load: handler.load(
          entries.map((entry) => entry.command),
          this.mode,
        ),
      }));
  }
}

function loadsOf(groups: readonly Group[]): Statement[] {
  return groups.flatMap(({ load }) => load);
}

function replayed(effect: EffectKey, row: StoredEffect): Outcome<unknown> {
  try {
    return { done: effect.replay(row) };
  } catch (error) {
    return { refused: error };
  }
}
