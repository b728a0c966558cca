import type { LockMode } from '../../platform/database/batch.js';
import type { Statement } from '../../platform/database/statement.js';

/** The columns of {@link AgentRow}. */
export const ROW_COLUMNS = `a.id, a.project_id, a.type, a.capabilities, a.capacity, a.liveness, a.draining, a.session_epoch,
  a.last_seen, a.lease_until, a.seq`;

/** The columns of an agent in full; its webhook secret is shown once and not read here. */
export const AGENT_COLUMNS = `${ROW_COLUMNS}, a.name, a.version, a.health_check_url, a.configuration, a.metadata, a.health,
  a.performance_metrics, a.created_at, a.updated_at`;

const LOCK = `SELECT ${ROW_COLUMNS} FROM unnest($1::text[], $2::text[]) AS wanted(id, project_id)
  JOIN agents a ON a.id = wanted.id AND a.project_id = wanted.project_id
  ORDER BY a.id, a.project_id FOR UPDATE OF a`;

/**
 * Locks agents by id for a batch. Rows: `AgentRow`; agents that do not exist, or are busy in mode `skip`, are missing.
 * @param ids with `projectIds`, pairwise
 */
export function lockAgents(
  ids: readonly string[],
  projectIds: readonly string[],
  mode: LockMode,
): Statement {
  const values = [ids, projectIds];
  return mode === 'skip'
    ? { name: 'agents-lock-free', text: `${LOCK} SKIP LOCKED`, values }
    : { name: 'agents-lock', text: LOCK, values };
}
