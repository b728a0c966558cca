import type pg from 'pg';
import type { DomainEvent } from '../../shared/domain-event.js';
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
  /** Set when it belongs to a request with an Idempotency-Key. */
  readonly effect: EffectKey | undefined;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** A batch's transaction, from BEGIN to COMMIT. What it decided stays here, so that a lost answer can be given later. */
export class BatchRun {
  readonly outcomes = new Map<Entry, Outcome<unknown>>();
  readonly events: DomainEvent[] = [];
  xid = '';
  now = '';
  private readonly afterCommits: (() => void)[] = [];
  /** Keyed commands that were not done before. */
  private readonly undone: { readonly entry: Entry; readonly effect: EffectKey }[] = [];

  constructor(
    private readonly entries: readonly Entry[],
    private readonly mode: LockMode,
  ) {}

  /** @returns the position of the first event, if there are events */
  async execute(client: pg.ClientBase, log: LogWriter): Promise<number | undefined> {
    const groups = this.groups();
    const begin = opening(client, this.mode === 'wait');
    const loads = groups.map(({ handler, entries }) =>
      handler.load(
        entries.map((entry) => entry.command),
        this.mode,
      ),
    );
    const effects = this.entries.flatMap(({ effect }) => effect ?? []);
    const find = effects.length === 0 ? [] : [findEffects(effects)];
    const rows = await pipeline(client, [...begin, ...loads.flat(), ...find]);
    // The row's shape is findEffects' column list.
    if (effects.length > 0) this.replay((rows.at(-1) ?? []) as unknown as readonly StoredEffect[]);
    const facts = rows[begin.length - 1]?.[0];
    this.xid = String(facts?.['xid']);
    this.now = String(facts?.['now']);

    const writes: Statement[] = [];
    const batch: Batch = {
      now: this.now,
      mode: this.mode,
      record: (event) => this.events.push(event),
      write: (statement) => writes.push(statement),
      afterCommit: (run) => this.afterCommits.push(run),
    };
    const picks: { statements: readonly Statement[]; settle: (rows: readonly (readonly Row[])[]) => void }[] =
      [];
    let at = begin.length;
    for (const [index, { handler, entries: all }] of groups.entries()) {
      const count = loads[index]?.length ?? 0;
      const loaded = rows.slice(at, at + count);
      at += count;
      const entries = all.filter((entry) => !this.outcomes.has(entry));
      if (entries.length === 0) continue;
      const decided = handler.decide(
        entries.map((entry) => entry.command),
        loaded,
        batch,
      );
      if (Array.isArray(decided)) this.keep(entries, decided);
      else
        picks.push({
          statements: decided.statements,
          settle: (picked) => this.keep(entries, decided.picked(picked)),
        });
    }
    if (picks.length === 0)
      return commitWithEvents(client, log, [...writes, ...this.newEffects()], this.events);

    const pickRows = await pipeline(client, [...writes, ...picks.flatMap((pick) => pick.statements)]);
    let from = writes.length;
    for (const pick of picks) {
      pick.settle(pickRows.slice(from, from + pick.statements.length));
      from += pick.statements.length;
    }
    return commitWithEvents(
      client,
      log,
      [...writes.splice(writes.length), ...this.newEffects()],
      this.events,
    );
  }

  runAfterCommits(): void {
    for (const run of this.afterCommits) run();
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

  private groups(): { handler: Entry['handler']; entries: Entry[] }[] {
    const byHandler = new Map<Entry['handler'], Entry[]>();
    for (const entry of this.entries) {
      const group = byHandler.get(entry.handler);
      if (group === undefined) byHandler.set(entry.handler, [entry]);
      else group.push(entry);
    }
    return [...byHandler.entries()]
      .map(([handler, entries]) => ({ handler, entries }))
      .toSorted((a, b) => a.handler.order - b.handler.order);
  }
}

function replayed(effect: EffectKey, row: StoredEffect): Outcome<unknown> {
  try {
    return { done: effect.replay(row) };
  } catch (error) {
    return { refused: error };
  }
}
