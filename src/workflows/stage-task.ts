import type { NewStageTask } from '../tasks/index.js';
import type { StageDefinition, WorkflowState } from './persistence/workflow-rows.js';

/** What a stage's task is made of, beside the workflow. */
interface Ingredients {
  readonly taskId: string;
  readonly definition: StageDefinition;
  /** The workflow's own. */
  readonly inputData: unknown;
  /** What a completed stage gave. */
  readonly outputOf: (stage: string) => unknown;
}

/** The task that a stage becomes. Its input is the workflow's, the stage's own, and what each dependency gave. */
export function stageTask(workflow: WorkflowState, from: Ingredients): NewStageTask {
  const { definition } = from;
  return {
    ...inCommon(workflow, from, definition.agent_type),
    inputData: {
      workflow: from.inputData,
      input: definition.input ?? null,
      stages: Object.fromEntries(definition.dependencies.map((name) => [name, from.outputOf(name)])),
    },
    ...(definition.template_version === undefined ? {} : { templateVersion: definition.template_version }),
    ...(definition.required_capabilities === undefined
      ? {}
      : { requiredCapabilities: definition.required_capabilities }),
  };
}

/**
 * The task that undoes a stage. Timeout, priority and retry policy are the stage's; the capabilities are not, since its
 * agents are others.
 */
export function compensationTask(workflow: WorkflowState, from: Ingredients): NewStageTask {
  const { definition } = from;
  return {
    ...inCommon(workflow, from, definition.compensation ?? ''),
    inputData: {
      workflow: from.inputData,
      stage: definition.name,
      input: definition.input ?? null,
      output: from.outputOf(definition.name),
    },
  };
}

function inCommon(
  workflow: WorkflowState,
  { taskId, definition }: Ingredients,
  type: string,
): Omit<NewStageTask, 'inputData'> {
  return {
    id: taskId,
    projectId: workflow.project_id,
    type,
    agentType: type,
    parentWorkflowId: workflow.id,
    stageName: definition.name,
    stageRun: workflow.run,
    correlationId: workflow.correlation_id,
    ...(definition.priority === undefined ? {} : { priority: definition.priority }),
    ...(definition.timeout === undefined ? {} : { timeout: definition.timeout }),
    ...(definition.retry_policy === undefined ? {} : { retryPolicy: definition.retry_policy }),
  };
}
