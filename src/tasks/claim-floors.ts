import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Database } from '../platform/database/database.js';
import { Sweeps } from '../platform/sweeps/sweeps.js';
import type { Task } from './domain/task.js';
import { TaskReactions } from './task-reactions.js';

const SWEEP_MS = 1_000;
/** Transactions that have begun since the oldest snapshot: from here on the entries of claimed tasks pile up. */
const OLD = 2_000;

/** Before what a route's claims need not look. */
export type Floor = Pick<Task, 'rank' | 'vtime'>;

/** How many transactions have begun since the oldest snapshot that somebody still reads by. */
const OLDEST_SNAPSHOT = {
  name: 'oldest-snapshot',
  text: 'SELECT coalesce(max(age(a.backend_xmin)), 0)::int AS age FROM pg_stat_activity a WHERE a.datname = current_database()',
};

/**
 * A long read elsewhere (a dump, a report) keeps Postgres from clearing away the index entries of tasks that were claimed
 * since, and every claim would walk over all of them: 20 times slower after 20,000 claims. While there is such a read,
 * claims begin where the last one ended. What was put before that place is found when nothing is behind it, when this
 * process puts it there, and once a second, when all floors are dropped. In ordinary times there are no floors.
 */
@Injectable()
export class ClaimFloors implements OnModuleInit {
  private readonly floors = new Map<number, Floor>();
  private needed = false;

  constructor(
    private readonly database: Database,
    private readonly reactions: TaskReactions,
    private readonly sweeps: Sweeps,
  ) {}

  onModuleInit(): void {
    this.reactions.on('claimable', (tasks) => {
      for (const task of tasks) this.lower(task);
    });
    this.sweeps.every('claim-floors', SWEEP_MS, () => this.look(), 'everywhere');
  }

  /** The floors of routes; undefined where there are none, as is usual. */
  of(routes: readonly { readonly id: number }[]): readonly Floor[] | undefined {
    if (this.floors.size === 0) return undefined;
    return routes.map(({ id }) => this.floors.get(id) ?? NOWHERE);
  }

  /** These have just been claimed: what comes next stands behind them. */
  raise(claimed: readonly Pick<Task, 'route' | 'rank' | 'vtime'>[]): void {
    if (!this.needed) return;
    for (const { route, rank, vtime } of claimed) {
      if (isBefore(this.floors.get(route) ?? NOWHERE, { rank, vtime }))
        this.floors.set(route, { rank, vtime });
    }
  }

  /** Looks whether floors are needed, and drops them all in any case. */
  async look(): Promise<boolean> {
    const [row] = await this.database.query<{ age: number }>(OLDEST_SNAPSHOT);
    this.needed = (row?.age ?? 0) > OLD;
    this.floors.clear();
    return false;
  }

  private lower(task: Task): void {
    const floor = this.floors.get(task.route);
    // The turn of a task with a fairness key is drawn in SQL: nobody here knows it.
    if (floor !== undefined && (task.fairness_key !== null || isBefore(task, floor)))
      this.floors.delete(task.route);
  }
}

const NOWHERE: Floor = { rank: 0, vtime: Number.MIN_SAFE_INTEGER };

function isBefore(a: Floor, b: Floor): boolean {
  return a.rank < b.rank || (a.rank === b.rank && a.vtime < b.vtime);
}
