import type pg from 'pg';
import type { Statement } from './statement.js';

/** A table that was empty may be large after this time, in ms; planning anew what is used of it costs some ms. */
const KEPT_MS = 2_000;

const DISCARD: Statement = { name: 'discard-plans', text: 'DISCARD PLANS' };

const plannedAt = new WeakMap<pg.ClientBase, number>();

/**
 * What a connection has to run first, now and then: it forgets its plans. PostgreSQL keeps the plan of a prepared
 * statement until the next ANALYZE, and what it planned for an empty table may read all of it through the wrong index
 * once it is full (decision 0019).
 */
export function freshPlans(client: pg.ClientBase): readonly Statement[] {
  const now = performance.now();
  if (now - (plannedAt.get(client) ?? -Infinity) < KEPT_MS) return [];
  plannedAt.set(client, now);
  return [DISCARD];
}
