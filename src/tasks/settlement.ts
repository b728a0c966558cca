import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Transactor, type Transaction } from '../platform/database/transactor.js';
import { Database } from '../platform/database/database.js';
import { Sweeps } from '../platform/sweeps/sweeps.js';
import { failDependency, release } from './domain/lifecycle.js';
import type { Decision, Task } from './domain/task.js';
import type { Circumstances } from './domain/retry.js';
import { ParentWorkflows } from './parent-workflows.port.js';
import {
  SETTLE_DEPENDENCIES,
  SETTLE_DEPENDENTS,
  SETTLE_MARK,
  SETTLE_OF_WORKFLOW,
  SETTLE_UNSETTLED,
  type DependencyRow,
} from './persistence/settle-rows.js';
import { TaskReactions } from './task-reactions.js';
import { TaskWriter } from './task-writer.js';
import { pairs, type TaskKey } from './persistence/task-rows.js';
import { type EndedGroup, SettlementQueue } from './settlement-queue.js';

/** Transactions of their own, and workflows in batches, at most at once. */
const ALONE = 2;
const IN_BATCHES = 64;
const SWEEP_MS = 1_000;
const PER_TRANSACTION = 100;

/**
 * Draws what follows from a task's end: its workflow goes on, its dependents are released or fail. Most workflows go on in
 * batches, many in one transaction, which may be the one that ends the task; the others, and dependents, have transactions
 * of their own after it. All is computed from the state, so a lost hint costs a second: the sweep finds `NOT settled`.
 */
@Injectable()
export class Settlement implements OnModuleInit, OnApplicationShutdown {
  private readonly alone = new SettlementQueue(ALONE, (group) => this.settle(group));
  private readonly inBatches = new SettlementQueue(IN_BATCHES, (group) => this.goOn(group));

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
      this.add(await this.database.query<Task>(SETTLE_UNSETTLED, [PER_TRANSACTION]));
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

  private settle({ projectId, workflowId, tasks }: EndedGroup): Promise<void> {
    return this.transactor.run(async (tx) => {
      let ended = [...tasks.values()];
      if (workflowId !== null) {
        // Read before the evaluation, which locks no tasks: what ends meanwhile it may not have seen, and is settled next.
        ended = keysOf(await tx.query<Task>(SETTLE_OF_WORKFLOW, [projectId, workflowId]));
        ended.push(...(await this.parents.evaluate(tx, projectId, workflowId)));
      }
      await this.meetDependents(tx, ended);
      tx.write({ ...SETTLE_MARK, values: pairs(ended) });
    });
  }

  private async meetDependents(tx: Transaction, ended: readonly TaskKey[]): Promise<void> {
    const waiting = keysOf(await tx.query<Task>(SETTLE_DEPENDENTS, pairs(ended)));
    if (waiting.length === 0) return;
    const locked = await this.tasks.lock(tx, waiting);
    // Read after the locks, in a new statement: two dependencies that end at once both see each other here.
    const rows = await tx.query<DependencyRow>(SETTLE_DEPENDENCIES, pairs(waiting));
    this.tasks.applyAll(tx, locked, (task, at) =>
      meet(
        task,
        rows.filter((row) => row.task_id === task.id && row.project_id === task.project_id),
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
