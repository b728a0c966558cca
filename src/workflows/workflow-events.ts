import { newId } from '../platform/new-id.js';
import type { DomainEvent } from '../shared/domain-event.js';
import type { EventTypesOf } from '../shared/event-types.js';
import type { WorkflowState } from './persistence/workflow-rows.js';

/** An event of a workflow as it now is; its `seq` is the workflow's. */
export function workflowEvent(
  workflow: WorkflowState,
  type: EventTypesOf<'workflow'>,
  facts: Readonly<Record<string, unknown>> = {},
): DomainEvent {
  return {
    id: newId(),
    projectId: workflow.project_id,
    type,
    topic: type,
    aggregateId: workflow.id,
    seq: workflow.seq,
    sourceAgent: null,
    targetAgent: null,
    correlationId: workflow.correlation_id,
    timestamp: workflow.updated_at,
    payload: { workflow_id: workflow.id, name: workflow.name, status: workflow.status, ...facts },
  };
}
