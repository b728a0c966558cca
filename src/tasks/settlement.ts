import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Transactor, type Transaction } from '../platform/database/transactor.js';
import { Database } from '../platform/database/database.js';
import { Sweeps } from '../platform/sweeps/sweeps.js';
import { failDependency, release } from './domain/lifecycle.js';
import type { Decision, Task } from './domain/task.js';
import type { Circumstances } from './domain/retry.js';
import { ParentWorkflows } from './parent-workflows.port.js';
import {
  type OverdueEnd,
  SETTLE_AWAITED,
  SETTLE_DEPENDENCIES,
  SETTLE_DEPENDENTS,
  SETTLE_DEPENDENTS_OF,
  SETTLE_MARK,
  SETTLE_MARK_UNAWAITED,
  SETTLE_OF_WORKFLOW,
  SETTLE_UNSETTLED,
  type DependencyRow,
} from './persistence/settle-rows.js';
import { TaskReactions } from './task-reactions.js';
import { TaskWriter } from './task-writer.js';
import { LOCK_BUT_INPUT, pairs, type TaskKey } from './persistence/task-rows.js';
import { type EndedGroup, SettlementQueue } from './settlement-queue.js';

/** Transactions of their own, and workflows in batches, at most at once. */
const ALONE = 2;
const IN_BATCHES = 64;
const SWEEP_MS = 1_000;
/** Overdue ends that a look takes. */
const PER_LOOK = 1_000;
/** Dependents that a transaction meets, at most: an end may have any number of them. */
const DEPENDENTS = 100;
const START = { ended_at: '-infinity', id: '' };

/**
 * Draws what follows from a task's end: its workflow goes on, its dependents are released or fail. Most workflows go on in
 * batches, many in one transaction, which may be the one that ends the task; the others, and dependents, have transactions
 * of their own after it. All is computed from the state, so a lost hint costs a second: the sweep finds `NOT settled`.
 */
@Injectable()
export class Settlement implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(Settlement.name);
  private readonly alone = new SettlementQueue(ALONE, (group) => this.settle(group));
  private readonly inBatches = new SettlementQueue(IN_BATCHES, (group) => this.goOn(group));
  /** Where the sweep's last look ended. */
  private place: Pick<OverdueEnd, 'ended_at' | 'id'> = START;

  constructor(
    private readonly transactor: Transactor,
    private readonly database: Database,
    private readonly tasks: TaskWriter,
    private readonly parents: ParentWorkflows,
    private readonly reactions: TaskReactions,
    private readonly sweeps: Sweeps,
  ) {}

  onModuleInit(): void {
    this.reactions.on('unsettled', (tasks, moment) => {
      // Only workflows are looked at in the batch that ends their tasks.
      this.add(moment === 'soon' ? tasks.filter((task) => task.parent_workflow_id !== null) : tasks);
    });
    this.sweeps.every('settlement', SWEEP_MS, async () => {
      const { ended_at: from, id } = this.place;
      const ends = await this.database.query<OverdueEnd>(SETTLE_UNSETTLED, [from, id, PER_LOOK]);
      this.place = ends.length < PER_LOOK ? START : (ends.at(-1) ?? START);
      this.add(ends);
      return false;
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.inBatches.close(), this.alone.close()]);
  }

  private add(tasks: readonly Pick<Task, 'id' | 'project_id' | 'parent_workflow_id'>[]): void {
    for (const { id, project_id: projectId, parent_workflow_id: workflowId } of tasks) {
      const queue = workflowId === null ? this.alone : this.inBatches;
      queue.add(projectId, workflowId, [{ id, projectId }]);
    }
  }

  private async goOn({ projectId, workflowId, tasks }: EndedGroup): Promise<void> {
    const settled = workflowId !== null && (await this.parents.evaluateInBatch(projectId, workflowId));
    // What ended in the very batch of the evaluation was told of again when that was committed.
    if (settled) this.inBatches.forget(projectId, workflowId, settled);
    else this.alone.add(projectId, workflowId, tasks.values());
  }

  private async settle({ projectId, workflowId, tasks }: EndedGroup): Promise<void> {
    if (workflowId !== null) {
      this.alone.add(projectId, null, await this.goOnAlone(projectId, workflowId));
      return;
    }
    const [one, ...others] = tasks.values();
    if (one !== undefined && others.length === 0) return this.meetDependentsOf(one);
    const isDone = await this.meetDependents(projectId, [...tasks.values()]).catch((error: unknown) => {
      this.logger.warn(`settlements are tried one by one: ${String(error)}`);
      return false;
    });
    if (!isDone) this.alone.addApart(tasks.values());
  }

  /** @returns the tasks that others wait for, whose dependents have still to be met */
  private goOnAlone(projectId: string, workflowId: string): Promise<TaskKey[]> {
    return this.transactor.run(async (tx) => {
      // Read before the evaluation, which locks no tasks: what ends meanwhile it may not have seen, and is settled next.
      const ended = keysOf(await tx.query<Task>(SETTLE_OF_WORKFLOW, [projectId, workflowId]));
      ended.push(...(await this.parents.evaluate(tx, projectId, workflowId)));
      tx.write({ ...SETTLE_MARK_UNAWAITED, values: pairs(ended) });
      return keysOf(await tx.query<Task>(SETTLE_AWAITED, pairs(ended)));
    });
  }

  /** @returns false when they have too many dependents for one transaction */
  private meetDependents(projectId: string, ended: readonly TaskKey[]): Promise<boolean> {
    return this.transactor.run(async (tx) => {
      const values = [...pairs(ended), DEPENDENTS + 1];
      const waiting = (await tx.query<{ id: string }>(SETTLE_DEPENDENTS, values)).map(({ id }) => id);
      if (waiting.length > DEPENDENTS) return false;
      await this.meetAll(tx, projectId, waiting);
      tx.write({ ...SETTLE_MARK, values: pairs(ended) });
      return true;
    });
  }

  private async meetDependentsOf(ended: TaskKey): Promise<void> {
    let place: string | undefined = '';
    while (place !== undefined) place = await this.meetSome(ended, place);
  }

  /**
   * Meets dependents of one task from behind a place. It is settled with the last of them: until then the sweep finds it.
   * @returns where to go on; undefined when there are no more
   */
  private meetSome(ended: TaskKey, place: string): Promise<string | undefined> {
    return this.transactor.run(async (tx) => {
      const values = [ended.id, ended.projectId, place, DEPENDENTS];
      const waiting = (await tx.query<{ id: string }>(SETTLE_DEPENDENTS_OF, values)).map(({ id }) => id);
      await this.meetAll(tx, ended.projectId, waiting);
      if (waiting.length === DEPENDENTS) return waiting.at(-1);
      tx.write({ ...SETTLE_MARK, values: pairs([ended]) });
      return undefined;
    });
  }

  private async meetAll(tx: Transaction, projectId: string, waiting: readonly string[]): Promise<void> {
    if (waiting.length === 0) return;
    const locked = await tx.query<Task>(LOCK_BUT_INPUT, [projectId, waiting]);
    // Read after the locks, in a new statement: two dependencies that end at once both see each other here.
    const rows = await tx.query<DependencyRow>(SETTLE_DEPENDENCIES, [projectId, waiting]);
    this.tasks.applyAll(tx, locked, (task, at) =>
      meet(
        task,
        rows.filter((row) => row.task_id === task.id),
        at,
      ),
    );
  }
}

/** A blocked task and its dependencies as they are now: does it go on, fail, or wait? */
function meet(task: Task, dependencies: readonly DependencyRow[], at: Circumstances): Decision | undefined {
  if (task.status !== 'blocked') return undefined;
  const broken = dependencies.find((one) => one.status === 'failed' || one.status === 'cancelled');
  if (broken !== undefined && task.on_dependency_failure === 'fail') {
    return failDependency(task, { id: broken.id, status: broken.status }, at);
  }
  const open = dependencies.some((one) => !['completed', 'failed', 'cancelled'].includes(one.status));
  return open ? undefined : release(task, at);
}

function keysOf(rows: readonly { readonly id: string; readonly project_id: string }[]): TaskKey[] {
  return rows.map((row) => ({ id: row.id, projectId: row.project_id }));
}
