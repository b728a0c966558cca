import { invalidTransition } from '../../shared/domain-error.js';
import { executionOrder } from './workflow.graph.js';
import type { Stage, StageStatus, StageTask, WorkflowError } from './workflow.js';

/**
 * Every move of a stage: command, from, to. What is not here is refused. A stage fails before it starts when its input
 * cannot be made. `undo` gives a completed stage the task that undoes it; `give_up` is when that task fails.
 */
export const STAGE_TRANSITIONS = {
  start: { pending: 'running' },
  complete: { running: 'completed' },
  fail: { running: 'failed', pending: 'failed' },
  skip: { pending: 'skipped' },
  cancel: { running: 'cancelled' },
  undo: { completed: 'completed' },
  compensate: { completed: 'compensated' },
  give_up: { completed: 'completed' },
  reset: { failed: 'pending', skipped: 'pending', cancelled: 'pending', compensated: 'pending' },
} as const satisfies Record<string, Partial<Record<StageStatus, StageStatus>>>;

export type StageCommand = keyof typeof STAGE_TRANSITIONS;

/** One step of a decision about a stage. */
export type StageStep =
  | { readonly command: 'start' | 'undo'; readonly stage: string }
  | { readonly command: 'complete' | 'compensate' | 'reset'; readonly stage: string }
  | { readonly command: 'fail' | 'give_up'; readonly stage: string; readonly error: WorkflowError }
  | { readonly command: 'skip'; readonly stage: string; readonly reason: string }
  | { readonly command: 'cancel'; readonly stage: string; readonly reason: string };

/** @throws DomainError INVALID_TRANSITION when the table has no such move */
export function stageAfter(command: StageCommand, from: StageStatus): StageStatus {
  const moves: Partial<Record<StageStatus, StageStatus>> = STAGE_TRANSITIONS[command];
  const to = moves[from];
  if (to === undefined) throw invalidTransition('stage', from, Object.values(moves)[0] ?? command);
  return to;
}

/** The stages, in execution order, as they are once the steps so far are done. It begins with what their tasks tell. */
export class Look {
  readonly steps: StageStep[] = [];
  private readonly stages: readonly Stage[];
  private readonly now: Map<string, StageStatus>;
  /** Completed stages that can be undone and are not: not yet tried, or being undone. */
  private readonly toUndo: Set<string>;

  constructor(stages: readonly Stage[], tasks: readonly StageTask[]) {
    this.stages = executionOrder(stages);
    this.now = new Map(stages.map((stage) => [stage.name, stage.status]));
    // A completed stage with an error is one that could not be undone.
    this.toUndo = new Set(
      stages.filter((one) => one.status === 'completed' && one.error === null).map(({ name }) => name),
    );
    const byId = new Map(tasks.map((task) => [task.id, task]));
    for (const stage of this.stages) {
      if (stage.status === 'running') this.hear(stage.name, byId.get(stage.task_id ?? ''));
      if (stage.status === 'completed')
        this.hearUndoing(stage.name, byId.get(stage.compensation_task_id ?? ''));
    }
  }

  get firstFailed(): string | undefined {
    return this.stages.find(({ name }) => this.is(name, 'failed'))?.name;
  }

  /** How the workflow ends, if no stage can do anything any more. */
  get result(): 'complete' | 'fail' | undefined {
    if (this.stages.some(({ name }) => this.is(name, 'pending', 'running'))) return undefined;
    return this.stages.every(({ name }) => this.is(name, 'completed')) ? 'complete' : 'fail';
  }

  /** Nothing is left that could be undone. */
  get isUndone(): boolean {
    return !this.stages.some((stage) => this.canBeUndone(stage));
  }

  /** Nothing may go on: what has begun is cancelled, what has not is skipped. */
  stop(reason: string): void {
    for (const { name } of this.stages) {
      if (this.is(name, 'pending')) this.take({ command: 'skip', stage: name, reason });
      else if (this.is(name, 'running')) this.take({ command: 'cancel', stage: name, reason });
    }
  }

  /**
   * Starts what can be started, and skips what never can. In execution order, so a skip reaches all that lies behind it.
   * A stage that stayed completed when what it depends on was undone lets nothing start until that is done again.
   */
  goOn(parallel: boolean): void {
    let free = parallel || !this.stages.some(({ name }) => this.is(name, 'running'));
    const unready = new Set<string>();
    for (const { name, dependencies } of this.stages) {
      const isReady = !dependencies.some((one) => unready.has(one));
      if (!isReady || !this.is(name, 'completed')) unready.add(name);
      if (!this.is(name, 'pending')) continue;
      const broken = dependencies.find((one) => this.is(one, 'failed', 'skipped', 'cancelled'));
      if (broken !== undefined) {
        const reason = `it depends on stage '${broken}', which is ${this.now.get(broken)}`;
        this.take({ command: 'skip', stage: name, reason });
      } else if (free && isReady) {
        this.take({ command: 'start', stage: name });
        free = parallel;
      }
    }
  }

  /** Begins to undo the last stage that is not undone, unless it is at it: one at a time, against the execution order. */
  undoNext(): void {
    const last = this.stages.findLast((stage) => this.canBeUndone(stage));
    if (last?.compensation_task_id === null) this.take({ command: 'undo', stage: last.name });
  }

  private canBeUndone({ name, compensable }: Stage): boolean {
    return compensable && this.is(name, 'completed') && this.toUndo.has(name);
  }

  private hear(stage: string, task: StageTask | undefined): void {
    if (task?.status === 'completed') {
      this.take({ command: 'complete', stage });
      this.toUndo.add(stage);
    }
    const error = failureOf(task);
    if (error !== undefined) this.take({ command: 'fail', stage, error });
  }

  private hearUndoing(stage: string, task: StageTask | undefined): void {
    if (!this.toUndo.has(stage)) return;
    if (task?.status === 'completed') this.take({ command: 'compensate', stage });
    const cause = failureOf(task);
    if (cause === undefined) return;
    const message = `It could not be undone: ${cause.message}`;
    const error = { code: 'COMPENSATION_FAILED', message, details: { error: cause } };
    this.take({ command: 'give_up', stage, error });
    this.toUndo.delete(stage);
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

/** Why a task gave nothing; undefined unless it ended badly. */
function failureOf(task: StageTask | undefined): WorkflowError | undefined {
  if (task?.status === 'cancelled')
    return { code: 'TASK_CANCELLED', message: `Task '${task.id}' was cancelled.` };
  return task?.status === 'failed' ? (task.error ?? UNSTATED) : undefined;
}

const UNSTATED: WorkflowError = { code: 'TASK_FAILED', message: 'The task failed.' };
