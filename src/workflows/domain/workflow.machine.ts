import { invalidTransition } from '../../shared/domain-error.js';
import { executionOrder } from './workflow.graph.js';
import type {
  Stage,
  StageStatus,
  StageTask,
  WorkflowConfiguration,
  WorkflowError,
  WorkflowStatus,
} from './workflow.js';

/** Every move of a stage: command, from, to. What is not here is refused. */
export const STAGE_TRANSITIONS = {
  start: { pending: 'running' },
  complete: { running: 'completed' },
  fail: { running: 'failed' },
  skip: { pending: 'skipped' },
  cancel: { running: 'cancelled' },
} as const satisfies Record<string, Partial<Record<StageStatus, StageStatus>>>;

/** Every move of a workflow. It is born running; the ends absorb. */
export const WORKFLOW_TRANSITIONS = {
  complete: { running: 'completed' },
  fail: { running: 'failed' },
  cancel: { running: 'cancelled' },
} as const satisfies Record<string, Partial<Record<WorkflowStatus, WorkflowStatus>>>;

export type StageCommand = keyof typeof STAGE_TRANSITIONS;
export type WorkflowCommand = keyof typeof WORKFLOW_TRANSITIONS;

/** One step of a decision. Steps are carried out in their order. */
export type Step =
  | { readonly command: 'start' | 'complete'; readonly stage: string }
  | { readonly command: 'fail'; readonly stage: string; readonly error: WorkflowError }
  | { readonly command: 'skip'; readonly stage: string; readonly reason: string }
  | { readonly command: 'cancel'; readonly stage: string; readonly reason: string }
  | { readonly command: 'end'; readonly by: WorkflowCommand };

export type StageStep = Exclude<Step, { readonly command: 'end' }>;

/** A workflow as a decision sees it. */
export interface Course {
  readonly status: WorkflowStatus;
  readonly configuration: WorkflowConfiguration;
}

/**
 * What has to happen to a workflow, seen its stages and their tasks as they are now. Level-triggered: when the steps are
 * done, the same look finds nothing to do. A workflow ends `completed` only if every stage completed, else `failed`.
 */
export function decide(workflow: Course, stages: readonly Stage[], tasks: readonly StageTask[]): Step[] {
  if (workflow.status !== 'running') return [];
  const look = new Look(stages, tasks);
  const failed = look.firstFailed();
  if (failed !== undefined && workflow.configuration.failure_strategy === 'stop_on_error') {
    look.stop(`stage '${failed}' failed`);
  } else {
    look.goOn(workflow.configuration.parallel_execution);
  }
  const result = look.result();
  return result === undefined ? look.steps : [...look.steps, { command: 'end', by: result }];
}

/**
 * Ends a workflow on request: running stages are cancelled, the rest is skipped. Repeating it changes nothing.
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
  const result = look.result();
  if (result !== undefined)
    throw invalidTransition('workflow', workflowAfter(result, workflow.status), 'cancelled');
  look.stop('the workflow was cancelled');
  return [...look.steps, { command: 'end', by: 'cancel' }];
}

/** @throws DomainError INVALID_TRANSITION when the table has no such move */
export function stageAfter(command: StageCommand, from: StageStatus): StageStatus {
  const moves: Partial<Record<StageStatus, StageStatus>> = STAGE_TRANSITIONS[command];
  const to = moves[from];
  if (to === undefined) throw invalidTransition('stage', from, Object.values(moves).join());
  return to;
}

/** @throws DomainError INVALID_TRANSITION when the table has no such move */
export function workflowAfter(command: WorkflowCommand, from: WorkflowStatus): WorkflowStatus {
  const moves: Partial<Record<WorkflowStatus, WorkflowStatus>> = WORKFLOW_TRANSITIONS[command];
  const to = moves[from];
  if (to === undefined) throw invalidTransition('workflow', from, Object.values(moves).join());
  return to;
}

/** The stages, in execution order, as they are once the steps so far are done. It begins with what their tasks tell. */
class Look {
  readonly steps: Step[] = [];
  private readonly stages: readonly Stage[];
  private readonly now: Map<string, StageStatus>;

  constructor(stages: readonly Stage[], tasks: readonly StageTask[]) {
    this.stages = executionOrder(stages);
    this.now = new Map(stages.map((stage) => [stage.name, stage.status]));
    const byId = new Map(tasks.map((task) => [task.id, task]));
    for (const { name, task_id: taskId } of this.stages.filter(({ status }) => status === 'running')) {
      this.hear(name, byId.get(taskId ?? ''));
    }
  }

  firstFailed(): string | undefined {
    return this.stages.find(({ name }) => this.is(name, 'failed'))?.name;
  }

  /** Nothing may go on: what has begun is cancelled, what has not is skipped. */
  stop(reason: string): void {
    for (const { name } of this.stages) {
      if (this.is(name, 'pending')) this.take({ command: 'skip', stage: name, reason });
      else if (this.is(name, 'running')) this.take({ command: 'cancel', stage: name, reason });
    }
  }

  /** Starts what can be started, and skips what never can. In execution order, so a skip reaches all that lies behind it. */
  goOn(parallel: boolean): void {
    let free = parallel || !this.stages.some(({ name }) => this.is(name, 'running'));
    for (const { name, dependencies } of this.stages) {
      if (!this.is(name, 'pending')) continue;
      const broken = dependencies.find((one) => this.is(one, 'failed', 'skipped', 'cancelled'));
      if (broken !== undefined) {
        const reason = `it depends on stage '${broken}', which is ${this.now.get(broken)}`;
        this.take({ command: 'skip', stage: name, reason });
      } else if (free && dependencies.every((one) => this.is(one, 'completed'))) {
        this.take({ command: 'start', stage: name });
        free = parallel;
      }
    }
  }

  /** How the workflow ends, if no stage can do anything any more. */
  result(): 'complete' | 'fail' | undefined {
    if (this.stages.some(({ name }) => this.is(name, 'pending', 'running'))) return undefined;
    return this.stages.every(({ name }) => this.is(name, 'completed')) ? 'complete' : 'fail';
  }

  private hear(stage: string, task: StageTask | undefined): void {
    if (task?.status === 'completed') this.take({ command: 'complete', stage });
    if (task?.status === 'failed') this.take({ command: 'fail', stage, error: task.error ?? UNSTATED });
    if (task?.status === 'cancelled') {
      const error = { code: 'TASK_CANCELLED', message: `Task '${task.id}' was cancelled.` };
      this.take({ command: 'fail', stage, error });
    }
  }

  private take(step: StageStep): void {
    this.now.set(step.stage, stageAfter(step.command, this.now.get(step.stage) ?? 'pending'));
    this.steps.push(step);
  }

  private is(name: string, ...statuses: readonly StageStatus[]): boolean {
    const status = this.now.get(name);
    return status !== undefined && statuses.includes(status);
  }
}

const UNSTATED: WorkflowError = { code: 'TASK_FAILED', message: 'The task failed.' };
