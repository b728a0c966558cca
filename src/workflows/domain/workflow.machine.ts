import { invalidTransition } from '../../shared/domain-error.js';
import { Look, type StageStep } from './look.js';
import type { Stage, StageTask, WorkflowConfiguration, WorkflowError, WorkflowStatus } from './workflow.js';

/**
 * Every move of a workflow. It is born running; an end is left only by a retry. While it is paused it takes in how its
 * tasks end, and draws no consequence before it is resumed; only its timeout, or a cancel, ends it then.
 */
export const WORKFLOW_TRANSITIONS = {
  complete: { running: 'completed', paused: 'completed' },
  fail: { running: 'failed', paused: 'failed', compensating: 'failed' },
  compensate: { running: 'compensating', paused: 'compensating' },
  cancel: { running: 'cancelled', paused: 'cancelled', compensating: 'cancelled' },
  pause: { running: 'paused' },
  resume: { paused: 'running' },
  retry: { failed: 'running', cancelled: 'running' },
} as const satisfies Record<string, Partial<Record<WorkflowStatus, WorkflowStatus>>>;

export type WorkflowCommand = keyof typeof WORKFLOW_TRANSITIONS;

/** A move of the workflow itself. `error`: why it fails, where its failed stages do not tell. */
export interface WorkflowStep {
  readonly command: 'move';
  readonly by: WorkflowCommand;
  readonly error?: WorkflowError;
}

/** One step of a decision. Steps are carried out in their order. */
export type Step = StageStep | WorkflowStep;

/** A workflow as a decision sees it. */
export interface Course {
  readonly status: WorkflowStatus;
  readonly configuration: WorkflowConfiguration;
}

/**
 * What has to happen to a workflow next, seen its stages and their tasks as they are now. Level-triggered: it is asked
 * again when the steps are done, until it finds nothing to do. A workflow ends `completed` only if every stage completed.
 */
export function decide(workflow: Course, stages: readonly Stage[], tasks: readonly StageTask[]): Step[] {
  const look = new Look(stages, tasks);
  switch (workflow.status) {
    case 'running':
      return goOn(workflow, look);
    case 'paused':
      return look.steps;
    case 'compensating':
      look.undoNext();
      return look.isUndone ? [...look.steps, { command: 'move', by: 'fail' }] : look.steps;
    case 'pending':
    case 'completed':
    case 'failed':
    case 'cancelled':
      return [];
  }
}

/** What has to happen when its time is over: what runs is cancelled, the rest skipped, and what completed undone. */
export function decideTimeout(
  workflow: Course,
  stages: readonly Stage[],
  tasks: readonly StageTask[],
  error: WorkflowError,
): Step[] {
  if (workflow.status !== 'running' && workflow.status !== 'paused') return [];
  const look = new Look(stages, tasks);
  if (look.result === 'complete') return [...look.steps, { command: 'move', by: 'complete' }];
  look.stop('the workflow timed out');
  return [...look.steps, { command: 'move', by: failing(workflow, look), error }];
}

/**
 * Ends a workflow on request: running stages are cancelled, the rest is skipped, nothing is undone (what is being undone
 * is left as it is). Repeating it changes nothing.
 * @throws DomainError INVALID_TRANSITION when it has ended otherwise, or will have when somebody looks: its last stage is done
 */
export function decideCancel(
  workflow: Course,
  stages: readonly Stage[],
  tasks: readonly StageTask[],
): Step[] {
  if (workflow.status === 'cancelled') return [];
  workflowAfter('cancel', workflow.status);
  const look = new Look(stages, tasks);
  if (workflow.status === 'running') assertUnfinished(look, 'cancelled');
  look.stop('the workflow was cancelled');
  return [...look.steps, { command: 'move', by: 'cancel' }];
}

/** @throws DomainError INVALID_TRANSITION when it does not run, or its last stage is done; pausing a paused one changes nothing */
export function decidePause(workflow: Course, stages: readonly Stage[], tasks: readonly StageTask[]): Step[] {
  if (workflow.status === 'paused') return [];
  workflowAfter('pause', workflow.status);
  const look = new Look(stages, tasks);
  assertUnfinished(look, 'paused');
  return [{ command: 'move', by: 'pause' }];
}

/** @throws DomainError INVALID_TRANSITION when it is not paused; resuming a running one changes nothing */
export function decideResume(workflow: Course): Step[] {
  if (workflow.status === 'running') return [];
  workflowAfter('resume', workflow.status);
  return [{ command: 'move', by: 'resume' }];
}

/**
 * Runs a workflow that failed or was cancelled again, from what did not complete: stages that failed, were skipped or
 * cancelled, and those that were undone. Completed ones keep their output.
 * @throws DomainError INVALID_TRANSITION when it has not ended, or has completed
 */
export function decideRetry(workflow: Course, stages: readonly Stage[]): Step[] {
  workflowAfter('retry', workflow.status);
  const again = stages.filter(({ status }) => status !== 'completed');
  return [
    ...again.map(({ name }) => ({ command: 'reset', stage: name }) as const),
    { command: 'move', by: 'retry' },
  ];
}

/** @throws DomainError INVALID_TRANSITION when the table has no such move */
export function workflowAfter(command: WorkflowCommand, from: WorkflowStatus): WorkflowStatus {
  const moves: Partial<Record<WorkflowStatus, WorkflowStatus>> = WORKFLOW_TRANSITIONS[command];
  const to = moves[from];
  if (to === undefined) throw invalidTransition('workflow', from, Object.values(moves)[0] ?? command);
  return to;
}

function goOn(workflow: Course, look: Look): Step[] {
  const { failure_strategy: strategy, parallel_execution: parallel } = workflow.configuration;
  const failed = look.firstFailed;
  if (failed !== undefined && strategy !== 'continue_on_error') look.stop(`stage '${failed}' failed`);
  else look.goOn(parallel);
  if (look.result === undefined) return look.steps;
  return [
    ...look.steps,
    { command: 'move', by: look.result === 'complete' ? 'complete' : failing(workflow, look) },
  ];
}

/** A workflow that fails is undone first, if that was asked for and there is something to undo. */
function failing({ configuration }: Course, look: Look): 'compensate' | 'fail' {
  return configuration.failure_strategy === 'compensate' && !look.isUndone ? 'compensate' : 'fail';
}

function assertUnfinished({ result }: Look, wanted: WorkflowStatus): void {
  if (result === undefined) return;
  throw invalidTransition('workflow', workflowAfter(result, 'running'), wanted);
}
