import { newId } from '../platform/new-id.js';
import type { DomainEvent } from '../shared/domain-event.js';
import type { Fact, Task } from './domain/task.js';
import { taskView } from './task-view.js';

/** Who caused a fact: the agent whose call it was, null for clients and for the system itself. */
export type SourceAgent = string | null;

/**
 * The events of what happened to a task, and the task with its `seq` moved past them. A task's events are addressed to
 * the agent it was given to only when they give it something: the assignment.
 */
export function eventsOf(
  task: Task,
  facts: readonly Fact[],
  source: SourceAgent,
): { task: Task; events: DomainEvent[] } {
  const events = facts.map((fact, index) => eventOf(task, fact, task.seq + index + 1, source));
  return { task: { ...task, seq: task.seq + facts.length }, events };
}

function eventOf(task: Task, fact: Fact, seq: number, source: SourceAgent): DomainEvent {
  const assignment = fact.type === 'task.assigned';
  return {
    id: newId(),
    projectId: task.project_id,
    type: fact.type,
    topic: fact.type.replace('task.', `task.${task.type}.`),
    aggregateId: task.id,
    seq,
    sourceAgent: source,
    targetAgent: assignment ? task.assigned_agent : null,
    correlationId: task.correlation_id,
    timestamp: task.updated_at,
    payload: {
      task_id: task.id,
      type: task.type,
      status: task.status,
      priority: task.priority,
      progress: task.progress,
      attempt: task.attempt,
      assigned_agent: task.assigned_agent,
      parent_workflow_id: task.parent_workflow_id,
      project_id: task.project_id,
      ...fact.details,
      ...(assignment ? { task: taskView(task) } : {}),
    },
  };
}
