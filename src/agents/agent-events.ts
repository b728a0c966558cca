import { newId } from '../platform/new-id.js';
import type { DomainEvent } from '../shared/domain-event.js';
import type { EventTypesOf } from '../shared/event-types.js';
import { type Agent, type AgentRow, type AgentStatus, standingOf } from './domain/agent.js';

/** Where a change came from. */
export interface Origin {
  /** The agent whose own call it was; null for clients and for the system itself. */
  readonly sourceAgent: string | null;
  /** What the caller wants to find it under; null: the agent's id. */
  readonly correlationId: string | null;
}

export const SYSTEM: Origin = { sourceAgent: null, correlationId: null };

interface Fact {
  readonly type: EventTypesOf<'agent'>;
  readonly status: AgentStatus;
  readonly previousStatus: AgentStatus | null;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The next event of an agent, and the agent with its `seq` moved past it. */
export function happened<A extends AgentRow>(
  agent: A,
  { type, status, previousStatus, details }: Fact,
  now: string,
  { sourceAgent, correlationId }: Origin,
): { agent: A; event: DomainEvent } {
  const seq = agent.seq + 1;
  const event: DomainEvent = {
    id: newId(),
    projectId: agent.project_id,
    type,
    topic: type.replace('agent.', `agent.${agent.type}.`),
    aggregateId: agent.id,
    seq,
    sourceAgent,
    targetAgent: null,
    correlationId: correlationId ?? agent.id,
    timestamp: now,
    payload: {
      agent_id: agent.id,
      type: agent.type,
      status,
      previous_status: previousStatus,
      project_id: agent.project_id,
      ...details,
    },
  };
  return { agent: { ...agent, seq }, event };
}

/** `agent.status_changed`, if the status that clients see did change; the agent with its `seq` moved past it. */
export function statusChanged<A extends AgentRow>(
  before: AgentRow,
  after: A,
  now: string,
  origin: Origin,
): { agent: A; events: DomainEvent[] } {
  const status = standingOf(after);
  const previousStatus = standingOf(before);
  if (status === previousStatus) return { agent: after, events: [] };
  const { agent, event } = happened(
    after,
    { type: 'agent.status_changed', status, previousStatus },
    now,
    origin,
  );
  return { agent, events: [event] };
}

/** What registrations tell of an agent. */
export function introduction(agent: Agent): Readonly<Record<string, unknown>> {
  const { name, version, capabilities, session_epoch } = agent;
  return { name, version, capabilities, session_epoch };
}
