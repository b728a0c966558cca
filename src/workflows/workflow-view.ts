import type { StageStatus, WorkflowConfiguration, WorkflowError, WorkflowStatus } from './domain/workflow.js';
import type { WholeStage, WholeWorkflow } from './persistence/workflow-reads.js';
import type { StageDefinition } from './persistence/workflow-rows.js';

/** A stage as clients see it: as posted, and how it stands. See `StageDto` for what each field means. */
interface StageView extends StageDefinition {
  readonly status: StageStatus;
  readonly task_id: string | null;
  readonly compensation_task_id: string | null;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly output: unknown;
  readonly output_omitted?: true;
  readonly error: WorkflowError | null;
}

/** A workflow as clients see it. See `WorkflowDto` for what each field means. */
export interface WorkflowView {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly status: WorkflowStatus;
  readonly stages: readonly StageView[];
  readonly configuration: WorkflowConfiguration;
  readonly timeout: number | null;
  readonly input_data: unknown;
  readonly correlation_id: string;
  readonly metadata: unknown;
  readonly error: WorkflowError | null;
  readonly created_at: string;
  readonly updated_at: string;
  readonly deadline_at: string | null;
  readonly ended_at: string | null;
}

/** Field by field: jsonb has an order of its own. */
export function workflowView(workflow: WholeWorkflow): WorkflowView {
  return {
    id: workflow.id,
    project_id: workflow.project_id,
    name: workflow.name,
    status: workflow.status,
    stages: workflow.stages.map(stageView),
    configuration: {
      parallel_execution: workflow.configuration.parallel_execution,
      failure_strategy: workflow.configuration.failure_strategy,
    },
    timeout: workflow.timeout,
    input_data: workflow.input_data,
    correlation_id: workflow.correlation_id,
    metadata: workflow.metadata,
    error: workflow.error,
    created_at: workflow.created_at,
    updated_at: workflow.updated_at,
    deadline_at: workflow.deadline_at,
    ended_at: workflow.ended_at,
  };
}

function stageView({ definition: posted, ...stage }: WholeStage): StageView {
  return {
    name: posted.name,
    agent_type: posted.agent_type,
    dependencies: posted.dependencies,
    timeout: posted.timeout,
    priority: posted.priority,
    required_capabilities: posted.required_capabilities,
    retry_policy: posted.retry_policy,
    compensation: posted.compensation,
    input: posted.input,
    status: stage.status,
    task_id: stage.task_id,
    compensation_task_id: stage.compensation_task_id,
    started_at: stage.started_at,
    ended_at: stage.ended_at,
    output: stage.output,
    ...(stage.output_omitted ? { output_omitted: true } : {}),
    error: stage.error,
  };
}
