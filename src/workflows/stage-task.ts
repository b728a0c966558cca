import type { NewStageTask } from '../tasks/index.js';
import type { StageDefinition, WorkflowRow } from './persistence/workflow-rows.js';

/**
 * The task that a stage becomes. Its input is the workflow's, the stage's own, and what each dependency gave.
 * @param outputOf the output of a completed stage
 */
export function stageTask(
  workflow: WorkflowRow,
  stage: StageDefinition,
  taskId: string,
  outputOf: (stage: string) => unknown,
): NewStageTask {
  return {
    id: taskId,
    projectId: workflow.project_id,
    type: stage.agent_type,
    agentType: stage.agent_type,
    parentWorkflowId: workflow.id,
    stageName: stage.name,
    stageRun: workflow.run,
    inputData: {
      workflow: workflow.input_data,
      input: stage.input ?? null,
      stages: Object.fromEntries(stage.dependencies.map((name) => [name, outputOf(name)])),
    },
    priority: stage.priority,
    timeout: stage.timeout,
    retryPolicy: stage.retry_policy,
    requiredCapabilities: stage.required_capabilities,
    correlationId: workflow.correlation_id,
  };
}
