import { Injectable } from '@nestjs/common';
import type { Transaction } from '../platform/database/transactor.js';
import type { Task } from './domain/task.js';
import { type ParentWorkflow, ParentWorkflows } from './parent-workflows.port.js';
import { PARENTS_OF } from './persistence/task-reads.js';

/** Tells whether the workflows of tasks are paused, and keeps it so until the transaction is over. */
@Injectable()
export class PausedParents {
  constructor(private readonly parents: ParentWorkflows) {}

  /** Share-locks the workflows of tasks, which come before the tasks in the order of locks. */
  async lock(
    tx: Transaction,
    projectId: string,
    taskIds: readonly string[],
  ): Promise<(task: Pick<Task, 'parent_workflow_id'>) => boolean> {
    const ids = (await tx.query<{ id: string }>(PARENTS_OF, [projectId, taskIds])).map(({ id }) => id);
    if (ids.length === 0) return () => false;
    const { values, ...sql } = this.parents.lockShared(
      ids,
      ids.map(() => projectId),
      'wait',
    );
    const workflows = await tx.query<ParentWorkflow>(sql, values);
    const paused = new Set(workflows.filter(({ status }) => status === 'paused').map(({ id }) => id));
    return ({ parent_workflow_id: id }) => id !== null && paused.has(id);
  }
}
