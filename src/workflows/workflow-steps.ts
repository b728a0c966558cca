import { Injectable } from '@nestjs/common';
import type { Transaction } from '../platform/database/transactor.js';
import { type TaskKey, TaskWriter, WorkflowTasks } from '../tasks/index.js';
import type { Step } from './domain/workflow.machine.js';
import { storedSource } from './persistence/stage-sources.js';
import {
  STAGES_OF_WORKFLOW,
  type StageState,
  updateWorkflows,
  type WorkflowKey,
  type WorkflowState,
} from './persistence/workflow-rows.js';
import { StageInputs } from './stage-inputs.js';
import { WorkflowChanges } from './workflow-changes.js';
import { type Decide, decideNext, isBeginning, WorkflowRun } from './workflow-run.js';

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

  /** Tells, after the commit, that somebody has to look at a workflow, if so. */
  tellCheck(into: Pick<Transaction, 'afterCommit'>, workflow: WorkflowState): void {
    if (workflow.check_at === null) return;
    const key = { id: workflow.id, projectId: workflow.project_id };
    const at = new Date(workflow.check_at);
    into.afterCommit(() => {
      for (const listener of this.listeners) listener(key, at);
    });
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
    const inputs = new StageInputs(storedSource(tx, { id, projectId }, changes.given));
    const run = new WorkflowRun(changes);
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
      await take(steps, { run, changes, inputs });
      decideThen = decideNext;
    }
    const written = changes.written(run.more);
    for (const statement of updateWorkflows([written])) tx.write(statement);
    if (written.isMoved && written.row !== undefined) this.tellCheck(tx, written.row);
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
    { cut }: WorkflowRun,
    cancelFor: string | undefined,
  ): Promise<TaskKey[]> {
    const ids = cancelFor === undefined ? cut.taskIds : await this.tasks.open(tx, projectId, id);
    const tasks = await this.tasks.lock(tx, projectId, ids);
    return this.tasks.cancel(tx, tasks, cancelFor ?? cut.reason);
  }
}

/** Takes steps in; what begins among them gets its input from what those before it gave. */
async function take(
  steps: readonly Step[],
  { run, changes, inputs }: { run: WorkflowRun; changes: WorkflowChanges; inputs: StageInputs },
): Promise<void> {
  const rest = run.takeEnds(steps);
  run.take(rest, await inputs.tasksOf(changes.workflow, rest.filter(isBeginning), changes.stages));
}

/** The task whose end a stage waits for: its own, or the one that undoes it. */
function awaitedTask({ status, task_id, compensation_task_id, error }: StageState): string[] {
  if (status === 'running') return task_id === null ? [] : [task_id];
  const undoing = status === 'completed' && error === null ? compensation_task_id : null;
  return undoing === null ? [] : [undoing];
}

function isCancel({ command }: Step): boolean {
  return command === 'cancel';
}
