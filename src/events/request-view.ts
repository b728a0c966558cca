import type { AgentRequest } from './domain/request.js';

/** A request as clients see it (CONTRACT §6): the posted fields and what became of it. */
export type RequestView = ReturnType<typeof requestView>;

export function requestView(request: AgentRequest) {
  return {
    id: request.id,
    project_id: request.project_id,
    type: request.type,
    source: request.source,
    target: request.target,
    correlation_id: request.correlation_id,
    data: request.data,
    timeout: request.timeout,
    callback_url: request.callback_url,
    status: request.status,
    response: request.response,
    deadline_at: request.deadline_at,
    created_at: request.created_at,
    updated_at: request.updated_at,
    ended_at: request.ended_at,
  };
}
