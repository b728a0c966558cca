import { type Agent, agentStatus } from './domain/agent.js';

/** An agent as clients see it (CONTRACT §3). */
export type AgentView = ReturnType<typeof agentView>;

/** @param held tasks it holds, by the server's own count */
export function agentView(agent: Agent, held: number) {
  return {
    id: agent.id,
    project_id: agent.project_id,
    type: agent.type,
    name: agent.name,
    version: agent.version,
    capabilities: agent.capabilities,
    health_check_url: agent.health_check_url,
    configuration: agent.configuration,
    metadata: agent.metadata,
    status: agentStatus(agent, held),
    health: agent.health,
    health_reason: agent.health_reason,
    session_epoch: agent.session_epoch,
    last_seen: agent.last_seen,
    current_tasks: held,
    performance_metrics: agent.performance_metrics,
    created_at: agent.created_at,
    updated_at: agent.updated_at,
  };
}
