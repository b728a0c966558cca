import type { Transaction } from './transactor.js';

/** Rows that are kept are met on every walk: the next one begins later. */
const REST_MS = 600_000;
/** Any number, as long as all processes take the same: one of them walks through a table at a time. */
const WALK_LOCKS = { tasks: 7_316_202_414, workflows: 7_316_202_415 } as const;

/** Old rows of one project, in the order in which they were created. */
export interface OldRows {
  readonly projectId: string;
  readonly ids: readonly string[];
}

interface Row {
  readonly id: string;
  readonly created_at: string;
}

/**
 * Goes through the old rows of a table, project by project, a few at a time: along the index that its lists use, so that
 * retention needs none of its own, which every write would pay for.
 */
export class AgeWalk {
  private place: { projectId: string; createdAt: string; id: string } | undefined;
  private restUntil = 0;

  constructor(private readonly table: keyof typeof WALK_LOCKS) {}

  /** The last walk has just ended. */
  get rests(): boolean {
    return Date.now() < this.restUntil;
  }

  /**
   * The next rows that were created more than `days` ago; undefined when there are no more, or another process is at it.
   * Call it in the transaction that drops them.
   */
  async next(tx: Transaction, days: number, limit: number): Promise<OldRows | undefined> {
    const lock = { name: 'walk-lock', text: 'SELECT pg_try_advisory_xact_lock($1) AS mine' };
    const [held] = await tx.query<{ mine: boolean }>(lock, [WALK_LOCKS[this.table]]);
    if (held?.mine !== true) return this.rest();
    for (;;) {
      this.place ??= await this.projectAfter(tx, '');
      if (this.place === undefined) return this.rest();
      const { projectId, createdAt, id } = this.place;
      const rows = await tx.query<Row>(this.page, [projectId, createdAt, id, days, limit]);
      const last = rows.at(-1);
      if (last !== undefined) {
        this.place = { projectId, createdAt: last.created_at, id: last.id };
        return { projectId, ids: rows.map((row) => row.id) };
      }
      this.place = await this.projectAfter(tx, projectId);
      if (this.place === undefined) return this.rest();
    }
  }

  private get page() {
    return {
      name: `${this.table}-walk`,
      // Microseconds are cut off the last row's time: what shares its millisecond is met again, and was dropped or is kept.
      text: `
        SELECT r.id, r.created_at FROM ${this.table} r
        WHERE r.project_id = $1 AND (r.created_at, r.id) > ($2::timestamptz, $3)
          AND r.created_at < (SELECT clock_timestamp() - make_interval(days => $4))
        ORDER BY r.created_at, r.id LIMIT $5`,
    };
  }

  private async projectAfter(tx: Transaction, projectId: string): Promise<AgeWalk['place']> {
    const sql = {
      name: `${this.table}-walk-project`,
      text: `SELECT min(r.project_id) AS id FROM ${this.table} r WHERE r.project_id > $1`,
    };
    const [row] = await tx.query<{ id: string | null }>(sql, [projectId]);
    const next = row?.id ?? undefined;
    return next === undefined ? undefined : { projectId: next, createdAt: '-infinity', id: '' };
  }

  private rest(): undefined {
    this.place = undefined;
    this.restUntil = Date.now() + REST_MS;
  }
}
