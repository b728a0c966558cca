import type { Sql } from '../../platform/database/statement.js';
import { ANY_PROJECT } from '../../shared/ids.js';

/** Agents, and tasks ahead, are looked at so far and no further. */
const AGENTS = 200;
const AHEAD = 10_000;

/** Dependencies that have not ended. Values: project, ids. */
export const OPEN_DEPENDENCIES: Sql = {
  name: 'explain-dependencies',
  text: `
    SELECT t.id AS task_id, t.status, t.updated_at AS since FROM tasks t
    WHERE t.project_id = $1 AND t.id = ANY($2::text[]) AND t.status NOT IN ('completed', 'failed', 'cancelled')
    ORDER BY t.id LIMIT 100`,
};

const candidates = (which: string): string => `
  SELECT a.id, a.project_id, a.type, a.liveness, a.draining, a.capabilities, a.capacity, a.last_seen, a.updated_at,
    held.n AS held, held.since AS held_since, held.until AS held_until
  FROM (
    SELECT * FROM agents a WHERE a.project_id IN ($1, '${ANY_PROJECT}') AND ${which}
    ORDER BY a.liveness <> 'offline' AND NOT a.draining DESC, a.last_seen DESC LIMIT ${AGENTS}) a
  CROSS JOIN LATERAL (
    SELECT count(*)::int AS n, max(t.assigned_at) AS since, min(t.deadline_at) AS until FROM tasks t
    WHERE t.assigned_agent = a.id AND t.agent_project = a.project_id AND t.status IN ('assigned', 'in_progress')) held`;

/** Rows: Candidate. Values: project, agent type. */
export const CANDIDATES_OF_TYPE: Sql = { name: 'explain-type', text: candidates('a.type = $2') };

/** Rows: Candidate. Values: project, agent id. */
export const CANDIDATE_NAMED: Sql = { name: 'explain-agent', text: candidates('a.id = $2') };

/** What is handed out before a task, on some routes. Values: projects, routes, the task's rank, vtime and id. */
export const AHEAD_OF: Sql = {
  name: 'explain-ahead',
  text: `
    WITH ahead AS (
      SELECT a.* FROM unnest($1::text[], $2::int[]) AS r(project_id, route)
      CROSS JOIN LATERAL (
        SELECT t.id, t.rank, t.vtime FROM tasks t
        WHERE t.project_id = r.project_id AND t.route = r.route AND t.claimable
          AND (t.rank, t.vtime, t.id) < ($3::smallint, $4::bigint, $5::text)
        ORDER BY t.rank, t.vtime, t.id LIMIT ${AHEAD}) a
      LIMIT ${AHEAD})
    SELECT count(*)::int AS count,
      coalesce((SELECT array_agg(f.id) FROM (SELECT a.id FROM ahead a ORDER BY a.rank, a.vtime, a.id LIMIT 5) f), '{}') AS first
    FROM ahead`,
};

export const NOW: Sql = {
  name: 'explain-now',
  text: `SELECT date_trunc('milliseconds', clock_timestamp()) AS now`,
};
