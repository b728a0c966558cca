import { Injectable } from '@nestjs/common';
import type { LockMode } from '../platform/database/batch.js';
import type { Statement } from '../platform/database/statement.js';
import type { Transaction } from '../platform/database/transactor.js';
import { cancel } from './domain/lifecycle.js';
import { hasEnded, type Task } from './domain/task.js';
import { DROP_TASKS_OF_WORKFLOWS } from './persistence/drop-rows.js';
import { drawTurns } from './persistence/fairness-rows.js';
import { type EndedTask, lockUnsettled, SETTLE_MARK, type UnsettledTask } from './persistence/settle-rows.js';
import { LOCK_TO_END, pairs, type TaskKey } from './persistence/task-rows.js';
import { TaskReactions } from './task-reactions.js';
import { TaskWriter } from './task-writer.js';

/** Ends that are read at once: each may carry an output of 1 MiB. */
const ENDS_AT_ONCE = 32;

const ENDED = {
  name: 'workflow-tasks-ended',
  text: `
    SELECT t.id, t.status, t.error, CASE WHEN t.status = 'completed' THEN t.output_data END AS output_data FROM tasks t
    WHERE t.project_id = $1 AND t.id = ANY($2::text[]) AND t.status IN ('completed', 'failed', 'cancelled')
    ORDER BY t.ended_at LIMIT $3`,
};

const OPEN = {
  name: 'workflow-tasks-open',
  text: `
    SELECT t.id FROM tasks t
    WHERE t.parent_workflow_id = $1 AND t.project_id = $2 AND t.status NOT IN ('completed', 'failed', 'cancelled')
    ORDER BY t.id`,
};

const ALL_OPEN = `
  WITH open AS (
    SELECT t.id, t.project_id FROM tasks t
    WHERE t.parent_workflow_id = $1 AND t.project_id = $2 AND t.status NOT IN ('completed', 'failed', 'cancelled')
    ORDER BY t.id, t.project_id FOR UPDATE)`;

const PAUSE = {
  name: 'workflow-tasks-pause',
  text: `${ALL_OPEN}
    UPDATE tasks t SET paused = true, claimable = false FROM open WHERE t.id = open.id AND t.project_id = open.project_id`,
};

/** A task whose moment came during the pause has lost its `available_at` to the promotion sweep: it is due. */
const RESUME = {
  name: 'workflow-tasks-resume',
  text: `${ALL_OPEN}, n AS (SELECT t.* FROM tasks t JOIN open USING (id, project_id)),
    ${drawTurns(`n.status = 'queued' AND n.available_at IS NULL`)}
    UPDATE tasks t SET paused = false, claimable = t.status = 'queued' AND t.available_at IS NULL,
      vtime = coalesce(turns.vtime, t.vtime)
    FROM open LEFT JOIN turns USING (id, project_id)
    WHERE t.id = open.id AND t.project_id = open.project_id
    RETURNING t.*`,
};

const WITH_TASKS = {
  name: 'workflow-tasks-any',
  text: `
    SELECT DISTINCT t.parent_workflow_id AS id FROM tasks t
    WHERE t.parent_workflow_id = ANY($1::text[]) AND t.project_id = $2`,
};

/** What workflows do with their tasks, in transactions of theirs that hold the workflow's lock. No event tells of a pause: the workflow's own does. */
@Injectable()
export class WorkflowTasks {
  constructor(
    private readonly writer: TaskWriter,
    private readonly reactions: TaskReactions,
  ) {}

  /** Those of the tasks that have ended: an end is for ever, so nothing is locked. `more`: not all could be read at once. */
  async ended(
    tx: Transaction,
    projectId: string,
    ids: readonly string[],
  ): Promise<{ readonly tasks: EndedTask[]; readonly more: boolean }> {
    if (ids.length === 0) return { tasks: [], more: false };
    const tasks = await tx.query<EndedTask>(ENDED, [projectId, ids, ENDS_AT_ONCE]);
    return { tasks, more: tasks.length === ENDS_AT_ONCE };
  }

  /**
   * Locks tasks of some workflows (their keys) that ended and are not settled, one more than {@link ENDS_IN_BATCH} of each
   * at most. Rows: {@link UnsettledTask}.
   */
  lockUnsettled(workflows: readonly TaskKey[], mode: LockMode): Statement {
    return lockUnsettled(workflows, mode);
  }

  /** Nothing more follows from their ends. */
  settle(into: Pick<Transaction, 'write'>, ended: readonly UnsettledTask[]): void {
    const keys = ended.map(({ id, project_id: projectId }) => ({ id, projectId }));
    if (keys.length > 0) into.write({ ...SETTLE_MARK, values: pairs(keys) });
  }

  /** All tasks of a workflow that have not ended, those that are no stage's too. */
  async open(tx: Transaction, projectId: string, workflowId: string): Promise<string[]> {
    return (await tx.query<TaskKey>(OPEN, [workflowId, projectId])).map(({ id }) => id);
  }

  /** Locks tasks by id: until the transaction is over none of them ends. */
  lock(tx: Transaction, projectId: string, ids: readonly string[]): Promise<Task[]> {
    return ids.length === 0 ? Promise.resolve([]) : tx.query<Task>(LOCK_TO_END, [projectId, ids]);
  }

  /** Cancels those of the locked tasks that have not ended. @returns which */
  cancel(tx: Transaction, locked: readonly Task[], reason: string): TaskKey[] {
    const open = locked
      .filter((task) => !hasEnded(task))
      // What they gave so far was not read, and stays.
      .map((task) => ({ ...task, output_data: undefined }));
    this.writer.applyAll(tx, open, (task, at) => cancel(task, reason, at));
    return open.map(({ id, project_id: projectId }) => ({ id, projectId }));
  }

  /** From now on none of a workflow's tasks is claimed; what runs goes on. */
  async pause(tx: Transaction, projectId: string, workflowId: string): Promise<void> {
    await tx.query(PAUSE, [workflowId, projectId]);
  }

  async resume(tx: Transaction, projectId: string, workflowId: string): Promise<void> {
    const tasks = await tx.query<Task>(RESUME, [workflowId, projectId]);
    this.reactions.follow(tx, tasks, () => undefined);
  }

  /**
   * Drops tasks of some workflows that ended more than `days` ago and are needed by nobody, `limit` at most.
   * @returns the workflows that have none any more
   */
  async drop(
    tx: Transaction,
    what: {
      readonly projectId: string;
      readonly workflowIds: readonly string[];
      readonly days: number;
      readonly limit: number;
    },
  ): Promise<string[]> {
    const { projectId, workflowIds, days, limit } = what;
    await tx.query(DROP_TASKS_OF_WORKFLOWS, [projectId, workflowIds, days, limit]);
    const rows = await tx.query<{ id: string }>(WITH_TASKS, [workflowIds, projectId]);
    const left = new Set(rows.map(({ id }) => id));
    return workflowIds.filter((id) => !left.has(id));
  }
}
