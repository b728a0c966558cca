import type { Sql } from '../../platform/database/statement.js';
import { ANY_PROJECT } from '../../shared/ids.js';

/** Tasks are counted so far and no further; a count of this many says "at least". */
const COUNTED = 100_000;

/** What an alert tells about a type that nobody serves. */
export interface UnservedFacts {
  /** Claimable tasks, 100,000 at most. */
  readonly queued: number;
  readonly since: string;
  /** The agent of the type that was seen last. */
  readonly last_agent: { readonly id: string; readonly status: string; readonly last_seen: string } | null;
}

/** A draining agent takes no more work, so for what waits it is as good as away. */
const alive = (which: string): string => `EXISTS (
  SELECT FROM agents a WHERE a.project_id IN (r.project_id, '${ANY_PROJECT}') AND ${which}
    AND a.liveness <> 'offline' AND NOT a.draining)`;

/**
 * Types with claimable tasks and no live agent. The routes that have claimable tasks are found by stepping from one to
 * the next in the claim's index: the cost grows with their number, not with that of the tasks.
 */
const UNSERVED = `
  WITH RECURSIVE waiting AS (
    (SELECT t.project_id, t.route FROM tasks t WHERE t.claimable ORDER BY t.project_id, t.route LIMIT 1)
    UNION ALL
    SELECT n.project_id, n.route FROM waiting w CROSS JOIN LATERAL (
      SELECT t.project_id, t.route FROM tasks t
      WHERE t.claimable AND (t.project_id, t.route) > (w.project_id, w.route)
      ORDER BY t.project_id, t.route LIMIT 1) n
  ), unserved AS (
    SELECT DISTINCT r.project_id, r.agent_type FROM waiting w JOIN routes r ON r.id = w.route
    WHERE NOT ${alive('a.type = r.agent_type')} AND NOT ${alive('a.id = r.assigned_agent')})`;

/** One row if there is an episode, or should be one. */
export const ANYTHING_TO_TELL: Sql = {
  name: 'unserved-any',
  text: `${UNSERVED} SELECT 1 FROM unserved UNION ALL SELECT 1 FROM unserved_types LIMIT 1`,
};

/** The number only has to be the same in every process. */
export const ASKED_BY_ONE: Sql = {
  name: 'unserved-turn',
  text: 'SELECT pg_try_advisory_xact_lock(7316202412) AS ours',
};

export const END_EPISODES: Sql = {
  name: 'unserved-end',
  text: `${UNSERVED} DELETE FROM unserved_types u
    WHERE NOT EXISTS (SELECT FROM unserved n WHERE n.project_id = u.project_id AND n.agent_type = u.agent_type)`,
};

/** Values: now. */
export const BEGIN_EPISODES: Sql = {
  name: 'unserved-begin',
  text: `${UNSERVED} INSERT INTO unserved_types (project_id, agent_type, since)
    SELECT n.project_id, n.agent_type, $1::timestamptz FROM unserved n ON CONFLICT DO NOTHING`,
};

/** Episodes that are to be told now. Values: now, seconds that an episode lasts before. */
export const MARK_TOLD: Sql = {
  name: 'unserved-told',
  text: `UPDATE unserved_types u SET alerted = true
    WHERE NOT u.alerted AND u.since <= $1::timestamptz - make_interval(secs => $2::float8)
    RETURNING u.project_id, u.agent_type`,
};

/** Rows: {@link UnservedFacts}. Values: project id, agent type. */
export const FACTS: Sql = {
  name: 'unserved-facts',
  text: `
    SELECT u.since,
      (SELECT count(*)::int FROM (
        SELECT FROM routes r JOIN tasks t ON t.project_id = r.project_id AND t.route = r.id AND t.claimable
        WHERE r.project_id = u.project_id AND r.agent_type = u.agent_type LIMIT ${COUNTED}) counted) AS queued,
      (SELECT json_build_object('id', a.id, 'last_seen', to_char(a.last_seen AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
          'status', CASE WHEN a.draining THEN 'draining' ELSE a.liveness END)
        FROM agents a WHERE a.project_id IN (u.project_id, '${ANY_PROJECT}') AND a.type = u.agent_type
        ORDER BY a.last_seen DESC LIMIT 1) AS last_agent
    FROM unserved_types u WHERE u.project_id = $1 AND u.agent_type = $2`,
};
