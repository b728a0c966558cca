import { Injectable } from '@nestjs/common';
import type { Transaction } from '../platform/database/transactor.js';
import { type EndedTask, type TaskKey, TaskWriter, WorkflowTasks } from '../tasks/index.js';
import { decide, type Step } from './domain/workflow.machine.js';
import { postedSource, storedSource } from './persistence/stage-sources.js';
import {
  STAGES_OF_WORKFLOW,
  type StageDefinition,
  type StageState,
  type WorkflowKey,
  type WorkflowRow,
  type WorkflowState,
} from './persistence/workflow-rows.js';
import { type Beginning, StageInputs } from './stage-inputs.js';
import { WorkflowChanges } from './workflow-changes.js';

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

/** Carries out what is decided about a workflow, and what follows from it, until nothing more does. */
@Injectable()
export class WorkflowSteps {
  private readonly listeners: ((key: WorkflowKey, at: Date) => void)[] = [];

  constructor(
    private readonly writer: TaskWriter,
    private readonly tasks: WorkflowTasks,
  ) {}

  /** Hears, after the commit, of workflows that somebody has to look at, and when: now, or at their deadline. */
  onCheck(listener: (key: WorkflowKey, at: Date) => void): void {
    this.listeners.push(listener);
  }

  /** Inserts a workflow and starts it, in one transaction: nobody sees it before its first stages have tasks. */
  async begin(
    tx: Transaction,
    workflow: WorkflowRow,
    stages: readonly StageState[],
    definitions: readonly StageDefinition[],
  ): Promise<{ readonly workflow: WorkflowRow; readonly stages: readonly StageState[] }> {
    const changes = new WorkflowChanges(tx, workflow, stages);
    const run = new Run(changes, new StageInputs(postedSource(workflow.input_data, definitions)));
    for (let steps = run.next(decideNext); steps.length > 0; steps = run.next(decideNext))
      await run.take(steps);
    const inserted = changes.insert(workflow, definitions, run.more);
    await this.writer.create(tx, changes.started);
    this.tell(tx, inserted);
    return { workflow: inserted, stages: changes.stages };
  }

  /**
   * Decides about a workflow whose row is locked, and writes what comes of it.
   * @param cancelFor cancels all its tasks, those that are no stage's too, for this reason
   * @returns the tasks that were cancelled
   */
  async carryOut(
    tx: Transaction,
    workflow: WorkflowState,
    first: Decide,
    cancelFor?: string,
  ): Promise<TaskKey[]> {
    const { id, project_id: projectId } = workflow;
    // Each statement reads anew, so under the workflow's lock what it shows is of now.
    const changes = new WorkflowChanges(tx, workflow, await tx.query(STAGES_OF_WORKFLOW, [id, projectId]));
    const source = storedSource(tx, { id, projectId }, changes.given);
    const run = new Run(changes, new StageInputs(source));
    const awaited = changes.stages.flatMap(awaitedTask);
    run.hear(await this.tasks.ended(tx, projectId, awaited));
    let decideThen = first;
    let locked = false;
    for (let steps = run.next(first); steps.length > 0; steps = run.next(decideThen)) {
      if (!locked && steps.some(isCancel)) {
        // What is to be cancelled may have completed since, so it is locked first, and looked at again.
        run.hear({ tasks: await this.tasks.lock(tx, projectId, awaited), more: false });
        locked = true;
        continue;
      }
      await run.take(steps);
      decideThen = decideNext;
    }
    this.tell(tx, changes.update(run.more));
    await this.writer.create(tx, changes.started);
    const cancelled = await this.cancel(tx, changes, run, cancelFor);
    const { status } = changes.workflow;
    if (status !== workflow.status && status === 'paused') await this.tasks.pause(tx, projectId, id);
    if (status !== workflow.status && workflow.status === 'paused')
      await this.tasks.resume(tx, projectId, id);
    return cancelled;
  }

  private async cancel(
    tx: Transaction,
    { workflow: { id, project_id: projectId } }: WorkflowChanges,
    { cut }: Run,
    cancelFor: string | undefined,
  ): Promise<TaskKey[]> {
    const ids = cancelFor === undefined ? cut.taskIds : await this.tasks.open(tx, projectId, id);
    const tasks = await this.tasks.lock(tx, projectId, ids);
    return this.tasks.cancel(tx, tasks, cancelFor ?? cut.reason);
  }

  private tell(tx: Transaction, checked: WorkflowState | undefined): void {
    if (checked === undefined || checked.check_at === null) return;
    const key = { id: checked.id, projectId: checked.project_id };
    const at = new Date(checked.check_at);
    tx.afterCommit(() => {
      for (const listener of this.listeners) listener(key, at);
    });
  }
}

/** One transaction's way from decision to decision. */
class Run {
  /** Tasks of stages that were cancelled: at once or never, so they share one reason. */
  readonly cut = { taskIds: [] as string[], reason: '' };
  private tasks: readonly EndedTask[] = [];
  /** Stages that could begin, and have to wait for another transaction. */
  private readonly putOff = new Set<string>();
  private unread = false;

  constructor(
    private readonly changes: WorkflowChanges,
    private readonly inputs: StageInputs,
  ) {}

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
      (step) => !(step.command === 'start' && this.putOff.has(step.stage)),
    );
  }

  async take(steps: readonly Step[]): Promise<void> {
    const { changes } = this;
    let tasks: Awaited<ReturnType<StageInputs['tasksOf']>> | undefined;
    for (const step of steps) {
      if (step.command === 'move') changes.move(step);
      else if (isBeginning(step)) {
        // What their dependencies gave is taken in by the steps before.
        tasks ??= await this.inputs.tasksOf(changes.workflow, steps.filter(isBeginning), changes.stages);
        this.begin(step, tasks.get(step.stage));
      } else {
        const taskId = changes.taskOf(step.stage);
        if (step.command === 'cancel') {
          this.cut.reason = step.reason;
          if (taskId !== null) this.cut.taskIds.push(taskId);
        }
        changes.take(step, this.tasks.find(({ id }) => id === taskId)?.output_data);
      }
    }
  }

  private begin({ command, stage }: Beginning, task: TaskOrError | undefined): void {
    if (task === undefined) this.putOff.add(stage);
    else if (!('code' in task)) this.changes.begin(command, stage, task);
    else this.changes.take({ command: command === 'start' ? 'fail' : 'give_up', stage, error: task });
  }
}

type TaskOrError = ReturnType<Awaited<ReturnType<StageInputs['tasksOf']>>['get']>;

/** The task whose end a stage waits for: its own, or the one that undoes it. */
function awaitedTask({ status, task_id, compensation_task_id, error }: StageState): string[] {
  if (status === 'running') return task_id === null ? [] : [task_id];
  const undoing = status === 'completed' && error === null ? compensation_task_id : null;
  return undoing === null ? [] : [undoing];
}

function isBeginning(step: Step): step is Beginning {
  return step.command === 'start' || step.command === 'undo';
}

function isCancel({ command }: Step): boolean {
  return command === 'cancel';
}
