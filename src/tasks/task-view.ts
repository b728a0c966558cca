import { isHeld, type Task } from './domain/task.js';

/** A task as clients see it (CONTRACT §4): the posted fields and what became of it. */
export function taskView(task: Task): TaskView {
  return {
    id: task.id,
    project_id: task.project_id,
    type: task.type,
    agent_type: task.agent_type,
    status: task.status,
    priority: task.priority,
    assigned_agent: task.assigned_agent,
    parent_workflow_id: task.parent_workflow_id,
    input_data: task.input_data,
    template_version: task.template_version,
    dependencies: task.dependencies,
    required_capabilities: task.required_capabilities,
    timeout: task.timeout,
    retry_policy: task.retry_policy,
    not_before: task.not_before,
    fairness_key: task.fairness_key || null,
    on_agent_unavailable: task.on_agent_unavailable,
    on_dependency_failure: task.on_dependency_failure,
    correlation_id: task.correlation_id,
    metadata: task.metadata,
    progress: task.progress,
    attempt: task.attempt,
    output_data: task.output_data,
    error: task.error,
    estimated_completion: task.estimated_completion,
    next_attempt_at: task.status === 'queued' ? task.available_at : null,
    lease_expires_at: isHeld(task) ? task.lease_until : null,
    created_at: task.created_at,
    updated_at: task.updated_at,
    started_at: task.started_at,
    ended_at: task.ended_at,
  };
}

/** See `TaskDto` for what each field means. */
export interface TaskView extends Pick<
  Task,
  | 'id'
  | 'project_id'
  | 'type'
  | 'agent_type'
  | 'status'
  | 'priority'
  | 'assigned_agent'
  | 'parent_workflow_id'
  | 'input_data'
  | 'template_version'
  | 'dependencies'
  | 'required_capabilities'
  | 'timeout'
  | 'retry_policy'
  | 'not_before'
  | 'fairness_key'
  | 'on_agent_unavailable'
  | 'on_dependency_failure'
  | 'correlation_id'
  | 'metadata'
  | 'progress'
  | 'attempt'
  | 'output_data'
  | 'error'
  | 'estimated_completion'
  | 'created_at'
  | 'updated_at'
  | 'started_at'
  | 'ended_at'
> {
  readonly next_attempt_at: string | null;
  readonly lease_expires_at: string | null;
}

/** A claimed task: the task, and the token that fences what its holder writes. */
export interface ClaimedTask extends TaskView {
  readonly lease_token: string;
}
