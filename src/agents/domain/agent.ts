import type { AGENT_STATUSES, HEALTHS } from '../../shared/words.js';
export type Liveness = 'active' | 'suspect' | 'offline';

/** What clients see: `draining` hides the liveness, `busy` is an active agent that holds as much as it may. */
export type AgentStatus = (typeof AGENT_STATUSES)[number];

export type Health = (typeof HEALTHS)[number];

/** What of an agent decides whether and which work it gets. Times are ISO 8601 of the database's clock. */
export interface AgentRow {
  readonly id: string;
  /** `*`: it serves every project. */
  readonly project_id: string;
  readonly type: string;
  readonly capabilities: readonly string[];
  /** Tasks it may hold at once. */
  readonly capacity: number;
  readonly liveness: Liveness;
  readonly draining: boolean;
  /** Grows by one with each registration; calls that name an older one are refused. */
  readonly session_epoch: number;
  readonly session_began_at: string;
  /** The agent's own last call; nothing else moves it. */
  readonly last_seen: string;
  /** Three heartbeat intervals after `last_seen`, plus what outages of ours were credited. */
  readonly lease_until: string;
  /** Events of this agent so far. */
  readonly seq: number;
}

/** An agent in full. */
export interface Agent extends AgentRow {
  readonly name: string | null;
  readonly version: string | null;
  readonly health_check_url: string | null;
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly health: Health;
  /** Why it is not healthy, for people; null when it is, or when nobody has asked yet. */
  readonly health_reason: string | null;
  /** When its health is asked next; null: never. */
  readonly probe_at: string | null;
  readonly performance_metrics: Readonly<Record<string, unknown>> | null;
  readonly created_at: string;
  readonly updated_at: string;
}

/** What an agent may say of itself at registration, and a PATCH may change. */
export type AgentProfile = Pick<
  Agent,
  'name' | 'version' | 'capabilities' | 'health_check_url' | 'configuration' | 'metadata'
>;

/**
 * The status that clients see.
 * @param held tasks the agent holds by the server's own count; what a heartbeat claims is not believed
 */
export function agentStatus(
  agent: Pick<AgentRow, 'liveness' | 'draining' | 'capacity'>,
  held: number,
): AgentStatus {
  const standing = standingOf(agent);
  return standing === 'active' && held >= agent.capacity ? 'busy' : standing;
}

/** The status without load: `busy` comes and goes with every task, so it makes no event. */
export function standingOf(agent: Pick<AgentRow, 'liveness' | 'draining'>): Exclude<AgentStatus, 'busy'> {
  return agent.draining ? 'draining' : agent.liveness;
}
