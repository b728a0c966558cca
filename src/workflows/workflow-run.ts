import type { EndedTask, NewStageTask } from '../tasks/index.js';
import type { WorkflowError } from './domain/workflow.js';
import { decide, type Step } from './domain/workflow.machine.js';
import type { StageState, WorkflowState } from './persistence/workflow-rows.js';
import type { Beginning, StageTasks } from './stage-inputs.js';
import type { WorkflowChanges } from './workflow-changes.js';

/** A workflow with all that a decision about it needs. */
export interface WorkflowLook {
  readonly workflow: WorkflowState;
  readonly stages: readonly StageState[];
  /** How tasks of its stages ended, as far as it is not taken in yet. */
  readonly tasks: readonly EndedTask[];
}

export type Decide = (look: WorkflowLook) => Step[];

/** What has to happen next, whatever was asked for before. */
export const decideNext: Decide = ({ workflow, stages, tasks }) => decide(workflow, stages, tasks);

/** One transaction's way from decision to decision. */
export class WorkflowRun {
  /** Tasks of stages that were cancelled: at once or never, so they share one reason. */
  readonly cut = { taskIds: [] as string[], reason: '' };
  private tasks: readonly EndedTask[] = [];
  /** Stages that could begin, or be undone, and have to wait for another transaction. */
  private readonly putOff = new Set<string>();
  private unread = false;

  constructor(private readonly changes: WorkflowChanges) {}

  /** It has to go on in another transaction. */
  get more(): boolean {
    return this.unread || this.putOff.size > 0;
  }

  hear({ tasks, more }: { readonly tasks: readonly EndedTask[]; readonly more: boolean }): void {
    this.tasks = tasks;
    this.unread = more;
  }

  next(decideThen: Decide): Step[] {
    const { workflow, stages } = this.changes;
    return decideThen({ workflow, stages, tasks: this.tasks }).filter(
      (step) => !(isBeginning(step) && this.putOff.has(step.stage)),
    );
  }

  /** Takes those of the steps that precede the first beginning: what a stage is given may come from them. @returns the rest */
  takeEnds(steps: readonly Step[]): readonly Step[] {
    const at = steps.findIndex(isBeginning);
    this.take(at < 0 ? steps : steps.slice(0, at), new Map());
    return at < 0 ? [] : steps.slice(at);
  }

  /**
   * Takes steps; of those that begin stages only the ones that fail, if any does: that may stop the others, which are
   * decided about again before they have tasks.
   * @param begun what the stages that begin became; what is missing there has to wait for another transaction
   */
  take(steps: readonly Step[], begun: StageTasks): void {
    const { changes } = this;
    const failing = steps.filter((step) => isBeginning(step) && isError(begun.get(step.stage)));
    for (const step of failing.length === 0 ? steps : failing) {
      if (step.command === 'move') changes.move(step);
      else if (isBeginning(step)) this.begin(step, begun.get(step.stage));
      else {
        const taskId = changes.taskOf(step.stage);
        if (step.command === 'cancel') {
          this.cut.reason = step.reason;
          if (taskId !== null) this.cut.taskIds.push(taskId);
        }
        changes.take(step, this.tasks.find(({ id }) => id === taskId)?.output_data);
      }
    }
  }

  private begin({ command, stage }: Beginning, task: NewStageTask | WorkflowError | undefined): void {
    if (task === undefined) this.putOff.add(stage);
    else if (isError(task))
      this.changes.take({ command: command === 'start' ? 'fail' : 'give_up', stage, error: task });
    else this.changes.begin(command, stage, task);
  }
}

function isError(begun: NewStageTask | WorkflowError | undefined): begun is WorkflowError {
  return begun !== undefined && 'code' in begun;
}

export function isBeginning(step: Step): step is Beginning {
  return step.command === 'start' || step.command === 'undo';
}
