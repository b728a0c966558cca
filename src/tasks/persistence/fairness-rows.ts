import type { Sql } from '../../platform/database/statement.js';

/** How far apart two tasks of one key stand. */
const TURN = 1_000;

/**
 * CTEs that draw a turn for rows that become claimable with this statement. They read `n` (id, project_id, route, rank,
 * fairness_key, vtime, created_at) and give `turns` (id, project_id, vtime); rows without a key are left out.
 *
 * A key's next turn is one behind the last of its tasks that wait, but never before the first task that anybody waits
 * with: who was idle has saved nothing up. Two look-ups in an index per key and batch. Transactions of several processes
 * do not see each other's, so under load a key that posts through two of them may stand up to twice as close.
 * @param joins which rows of `n` become claimable
 */
export const drawTurns = (joins: string): string => `
  joining AS (SELECT n.* FROM n WHERE ${joins} AND n.fairness_key IS NOT NULL),
  queues AS (
    SELECT k.*, seen.lowest,
      greatest(coalesce(seen.lowest, r.fair_from), seen.highest + ${TURN},
        CASE WHEN k.fairness_key = '' AND seen.highest IS NULL THEN r.fair_from + ${TURN} END) AS next
    FROM (SELECT DISTINCT j.project_id, j.route, j.rank, j.fairness_key FROM joining j) k
    JOIN routes r ON r.id = k.route
    CROSS JOIN LATERAL (SELECT
      (SELECT t.vtime FROM tasks t
        WHERE t.project_id = k.project_id AND t.route = k.route AND t.rank = k.rank AND t.claimable
        ORDER BY t.vtime LIMIT 1) AS lowest,
      (SELECT t.vtime FROM tasks t
        WHERE t.project_id = k.project_id AND t.route = k.route AND t.rank = k.rank AND t.fairness_key = k.fairness_key
          AND t.claimable ORDER BY t.vtime DESC LIMIT 1) AS highest) seen
  ),
  turns AS (
    SELECT j.id, j.project_id,
      CASE WHEN j.vtime >= 0 THEN greatest(j.vtime, q.lowest)
        ELSE q.next + ${TURN} * (row_number() OVER (PARTITION BY j.project_id, j.route, j.rank, j.fairness_key, j.vtime < 0
          ORDER BY j.vtime, j.created_at, j.id) - 1) END AS vtime
    FROM joining j JOIN queues q USING (project_id, route, rank, fairness_key)
  )`;

/**
 * From now on a route goes by virtual time, which begins behind whatever waits on it. Values: route.
 * Until every process knows, some tasks without a key are still given the real time: it is about the same then.
 */
export const BEGIN_FAIRNESS: Sql = {
  name: 'fairness-begin',
  text: `
    UPDATE routes r SET fair_from = greatest(
      (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
      (SELECT max(last.vtime) FROM generate_series(0, 3) AS ranks(rank) CROSS JOIN LATERAL (
        SELECT t.vtime FROM tasks t
        WHERE t.project_id = r.project_id AND t.route = r.id AND t.rank = ranks.rank AND t.claimable
        ORDER BY t.vtime DESC LIMIT 1) last))
    WHERE r.id = $1 AND r.fair_from IS NULL`,
};

/** Routes that go by virtual time and are not among $1. */
export const FAIR_ROUTES: Sql = {
  name: 'fairness-routes',
  text: 'SELECT r.id FROM routes r WHERE r.fair_from IS NOT NULL AND r.id <> ALL($1::int[])',
};
