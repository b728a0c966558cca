import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Transactor } from '../../platform/database/transactor.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import { RANK } from '../domain/task.js';
import { drawTurns } from '../persistence/fairness-rows.js';

const SWEEP_MS = 5_000;
/** Tasks that are raised in one look, and those that are looked at per route and rank. */
const PER_LOOK = 500;
const HEADS = 100;
/** Seconds of waiting that are worth one level of priority. */
const LEVEL_SECONDS = 300;

const BASE_RANK = `CASE h.priority ${Object.entries(RANK)
  .map(([priority, rank]) => `WHEN '${priority}' THEN ${rank}`)
  .join(' ')} END`;

/**
 * The lines (route and rank) with claimable tasks are found by stepping from one to the next in the claim's index, and only
 * the first of each are looked at: they are the ones that wait longest. `updated_at` of a claimable task is the moment it
 * became so. No event: its priority stays what it was.
 */
const RAISE = {
  name: 'aging-sweep',
  text: `
    WITH RECURSIVE lines AS (
      (SELECT t.project_id, t.route, t.rank FROM tasks t WHERE t.claimable
        ORDER BY t.project_id, t.route, t.rank LIMIT 1)
      UNION ALL
      SELECT later.* FROM lines l CROSS JOIN LATERAL (
        SELECT t.project_id, t.route, t.rank FROM tasks t
        WHERE t.claimable AND (t.project_id, t.route, t.rank) > (l.project_id, l.route, l.rank)
        ORDER BY t.project_id, t.route, t.rank LIMIT 1) later
    ), old AS (
      SELECT h.id, h.project_id, h.rank FROM lines l CROSS JOIN LATERAL (
        SELECT t.id, t.project_id, t.rank, t.priority, t.updated_at FROM tasks t
        WHERE t.project_id = l.project_id AND t.route = l.route AND t.rank = l.rank AND t.claimable
        ORDER BY t.vtime, t.id LIMIT ${HEADS}) h
      WHERE l.rank > 0
        AND h.rank > ${BASE_RANK} - floor(extract(epoch FROM clock_timestamp() - h.updated_at) / ${LEVEL_SECONDS})
      LIMIT $1
    ), n AS (
      SELECT t.id, t.project_id, t.route, (t.rank - 1)::smallint AS rank, t.fairness_key, (-1)::bigint AS vtime, t.created_at
      FROM old JOIN tasks t ON t.id = old.id AND t.project_id = old.project_id AND t.rank = old.rank AND t.claimable
      FOR UPDATE OF t SKIP LOCKED
    ), ${drawTurns('true')}
    UPDATE tasks t SET rank = n.rank, vtime = coalesce(turns.vtime, t.vtime)
    FROM n LEFT JOIN turns USING (id, project_id)
    WHERE t.id = n.id AND t.project_id = n.project_id
    RETURNING t.id`,
};

/** Raises what waits by one level of priority every 300 s, so that nothing waits for ever behind what comes later. */
@Injectable()
export class AgingSweep implements OnModuleInit {
  constructor(
    private readonly transactor: Transactor,
    private readonly sweeps: Sweeps,
  ) {}

  onModuleInit(): void {
    this.sweeps.every('aging', SWEEP_MS, () =>
      this.transactor.run(async (tx) => (await tx.query(RAISE, [PER_LOOK])).length === PER_LOOK),
    );
  }
}
