import type { LockMode } from '../../platform/database/batch.js';
import type { Sql, Statement } from '../../platform/database/statement.js';
import type { Agent, AgentRow } from '../domain/agent.js';

/** The columns of {@link AgentRow}. */
export const ROW_COLUMNS = `a.id, a.project_id, a.type, a.capabilities, a.capacity, a.liveness, a.draining, a.session_epoch,
  a.session_began_at, a.last_seen, a.lease_until, a.seq`;

/** The columns of an {@link Agent}; its webhook secret is shown once and not read here. */
export const AGENT_COLUMNS = `${ROW_COLUMNS}, a.name, a.version, a.health_check_url, a.configuration, a.metadata, a.health,
  a.health_reason, a.probe_at,
  a.performance_metrics, a.created_at, a.updated_at`;

const LOCK = `SELECT ${ROW_COLUMNS} FROM unnest($1::text[], $2::text[]) AS wanted(id, project_id)
  JOIN agents a ON a.id = wanted.id AND a.project_id = wanted.project_id
  ORDER BY a.id, a.project_id FOR UPDATE OF a`;

/**
 * Locks agents by id for a batch. Rows: `AgentRow`; agents that do not exist, or are busy in mode `skip`, are missing.
 * @param ids with `projectIds`, pairwise
 */
export function lockAgents(ids: readonly string[], projectIds: readonly string[], mode: LockMode): Statement {
  const values = [ids, projectIds];
  return mode === 'skip'
    ? { name: 'agents-lock-free', text: `${LOCK} SKIP LOCKED`, values }
    : { name: 'agents-lock', text: LOCK, values };
}

/** Values: id, project id. */
export const FIND_AGENT: Sql = {
  name: 'agent-find',
  text: `SELECT ${AGENT_COLUMNS} FROM agents a WHERE a.id = $1 AND a.project_id = $2`,
};

/** Reads an agent and locks it to the end of the transaction. Values: id, project id. */
export const LOCK_AGENT: Sql = {
  name: 'agent-lock',
  text: `SELECT ${AGENT_COLUMNS} FROM agents a WHERE a.id = $1 AND a.project_id = $2 FOR UPDATE`,
};

/** What a heartbeat, or its absence, changes of an agent. */
export interface SignOfLife {
  readonly agent: AgentRow;
  /** What the agent said of itself; absent: what it said before stays. */
  readonly metrics?: Readonly<Record<string, unknown>>;
}

/** While the liveness stays, no indexed value changes (HOT). */
const WRITE_LIVENESS = {
  name: 'agents-liveness',
  text: `UPDATE agents a SET last_seen = n.last_seen, lease_until = n.lease_until,
      performance_metrics = coalesce(n.metrics, a.performance_metrics),
      updated_at = CASE WHEN a.liveness = n.liveness THEN a.updated_at ELSE $2::timestamptz END,
      liveness = n.liveness, seq = n.seq
    FROM json_to_recordset($1::json) AS n(id text, project_id text, last_seen timestamptz, lease_until timestamptz,
      liveness text, seq bigint, metrics jsonb)
    WHERE a.id = n.id AND a.project_id = n.project_id`,
};

/** One UPDATE for many agents, whose rows are locked. */
export function writeLiveness(signs: readonly SignOfLife[], now: string): Statement {
  const rows = signs.map(({ agent, metrics }) => ({
    id: agent.id,
    project_id: agent.project_id,
    last_seen: agent.last_seen,
    lease_until: agent.lease_until,
    liveness: agent.liveness,
    seq: agent.seq,
    metrics,
  }));
  return { ...WRITE_LIVENESS, values: [JSON.stringify(rows), now] };
}

/** Columns that a decision writes; `created_at` and the webhook secret are the insert's alone. */
const WRITTEN = `id text, project_id text, type text, name text, version text, capabilities text[], health_check_url text,
  configuration jsonb, metadata jsonb, capacity int, health text, health_reason text, probe_at timestamptz, liveness text, draining boolean, session_epoch int,
  session_began_at timestamptz,
  last_seen timestamptz, lease_until timestamptz, seq bigint, updated_at timestamptz`;
const NAMES = WRITTEN.split(',').map((column) => column.trim().split(' ', 1)[0] ?? '');

const INSERT = {
  name: 'agent-insert',
  text: `INSERT INTO agents (${NAMES.join(', ')}, created_at, webhook_secret)
    SELECT ${NAMES.join(', ')}, created_at, $2 FROM json_to_record($1::json) AS n(${WRITTEN}, created_at timestamptz)`,
};

const UPDATE = {
  name: 'agent-update',
  text: `UPDATE agents a SET ${NAMES.map((name) => `${name} = n.${name}`).join(', ')}
    FROM json_to_record($1::json) AS n(${WRITTEN})
    WHERE a.id = n.id AND a.project_id = n.project_id`,
};

export function insertAgent(agent: Agent, webhookSecret: string): Statement {
  return { ...INSERT, values: [JSON.stringify(agent), webhookSecret] };
}

/** Writes what decisions change of an agent whose row is locked. */
export function updateAgent(agent: Agent): Statement {
  return { ...UPDATE, values: [JSON.stringify(agent)] };
}

export function setWebhookSecret(agent: AgentRow, secret: string): Statement {
  return {
    name: 'agent-webhook-secret',
    text: 'UPDATE agents a SET webhook_secret = $3 WHERE a.id = $1 AND a.project_id = $2',
    values: [agent.id, agent.project_id, secret],
  };
}

export function deleteAgent(agent: AgentRow): Statement {
  return {
    name: 'agent-delete',
    text: 'DELETE FROM agents a WHERE a.id = $1 AND a.project_id = $2',
    values: [agent.id, agent.project_id],
  };
}

/**
 * How far the events of an agent of this id have counted: an agent that left and comes back goes on from there, so that
 * `seq` stays gapless per aggregate. Values: id, project id. A task may have the same id.
 */
export const LAST_SEQ: Sql = {
  name: 'agent-last-seq',
  text: `SELECT coalesce(max(e.seq), 0) AS seq FROM events e
    WHERE e.aggregate_id = $1 AND e.project_id = $2 AND e.type LIKE 'agent.%' AND NOT e.is_private`,
};
