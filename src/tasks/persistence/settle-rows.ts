import type { LockMode } from '../../platform/database/batch.js';
import { isLarger } from '../../platform/database/json-size.js';
import type { Statement } from '../../platform/database/statement.js';
import type { TaskError, TaskStatus } from '../domain/task.js';
import { pairs, type TaskKey } from './task-rows.js';

/** Ends of one workflow that a batch takes, at most; and the bytes of what each gave, or of why it failed. */
export const ENDS_IN_BATCH = 8;
const BYTES_IN_BATCH = 16 * 1024;

/** How a task ended. */
export interface EndedTask {
  readonly id: string;
  readonly status: TaskStatus;
  readonly error: TaskError | null;
  /** What it gave, if it completed. */
  readonly output_data: unknown;
}

/** An ended task of a workflow, from whose end nothing was drawn yet. */
export interface UnsettledTask extends EndedTask {
  readonly project_id: string;
  readonly parent_workflow_id: string;
  /** Others wait for its end. */
  readonly awaited: boolean;
  /** What it gave, or why it failed, is too large for a batch, and left out. */
  readonly is_large: boolean;
}

const UNSETTLED = (wait: boolean): string => `
  SELECT u.id, u.project_id, u.parent_workflow_id, u.status, u.awaited, u.is_large,
    CASE WHEN NOT u.is_large THEN u.error END AS error,
    CASE WHEN u.status = 'completed' AND NOT u.is_large THEN u.output_data END AS output_data
  FROM unnest($1::text[], $2::text[]) AS k(id, project_id)
  CROSS JOIN LATERAL (
    SELECT t.*, ${isLarger('t.output_data', BYTES_IN_BATCH)} OR ${isLarger('t.error', BYTES_IN_BATCH)} AS is_large
    FROM tasks t
    WHERE t.parent_workflow_id = k.id AND t.project_id = k.project_id AND NOT t.settled
    ORDER BY t.id LIMIT ${ENDS_IN_BATCH + 1} FOR UPDATE OF t ${wait ? '' : 'SKIP LOCKED'}) u`;

const UNSETTLED_SKIPPING = { name: 'workflow-tasks-unsettled-skip', text: UNSETTLED(false) };
const UNSETTLED_WAITING = { name: 'workflow-tasks-unsettled-wait', text: UNSETTLED(true) };

/** Locks the unsettled tasks of some workflows, {@link ENDS_IN_BATCH} and one of each at most. Rows: {@link UnsettledTask}. */
export function lockUnsettled(workflows: readonly TaskKey[], mode: LockMode): Statement {
  return { ...(mode === 'skip' ? UNSETTLED_SKIPPING : UNSETTLED_WAITING), values: pairs(workflows) };
}

/** A dependency of a waiting task, with the state it is in. */
export interface DependencyRow {
  readonly task_id: string;
  readonly id: string;
  readonly status: string;
}

/** An ended task whose consequences nobody has drawn for a second: a hint was lost, or a server died. */
export interface OverdueEnd {
  readonly id: string;
  readonly project_id: string;
  readonly parent_workflow_id: string | null;
  readonly ended_at: string;
}

/** From behind a place, so that ends that cannot be settled keep no others back. Rows: {@link OverdueEnd}. */
export const SETTLE_UNSETTLED = {
  name: 'settle-unsettled',
  text: `
    SELECT t.id, t.project_id, t.parent_workflow_id, t.ended_at FROM tasks t
    WHERE NOT t.settled AND t.ended_at < (SELECT clock_timestamp()) - interval '1 second'
      AND (t.ended_at, t.id) > ($1::timestamptz, $2::text)
    ORDER BY t.ended_at, t.id LIMIT $3`,
};

/** All unsettled tasks of a workflow. */
export const SETTLE_OF_WORKFLOW = {
  name: 'settle-of-workflow',
  text: `
    SELECT t.id, t.project_id FROM tasks t
    WHERE t.project_id = $1 AND t.parent_workflow_id = $2 AND NOT t.settled`,
};

/** Those of these tasks that others wait for. */
export const SETTLE_AWAITED = {
  name: 'settle-awaited',
  text: `
    SELECT t.id, t.project_id FROM unnest($1::text[], $2::text[]) AS e(id, project_id)
    JOIN tasks t ON t.id = e.id AND t.project_id = e.project_id WHERE t.awaited`,
};

/** Blocked tasks that wait for one of these. */
export const SETTLE_DEPENDENTS = {
  name: 'settle-dependents',
  text: `
    SELECT DISTINCT t.id FROM unnest($1::text[], $2::text[]) AS e(id, project_id)
    JOIN task_dependencies d ON d.depends_on = e.id AND d.project_id = e.project_id
    JOIN tasks t ON t.id = d.task_id AND t.project_id = d.project_id
    WHERE t.status = 'blocked' LIMIT $3`,
};

/** Blocked tasks that wait for this one, some at a time. */
export const SETTLE_DEPENDENTS_OF = {
  name: 'settle-dependents-of',
  text: `
    SELECT t.id FROM task_dependencies d
    JOIN tasks t ON t.id = d.task_id AND t.project_id = d.project_id
    WHERE d.depends_on = $1 AND d.project_id = $2 AND d.task_id > $3 AND t.status = 'blocked'
    ORDER BY d.task_id LIMIT $4`,
};

/** The dependencies of these tasks as they are now. */
export const SETTLE_DEPENDENCIES = {
  name: 'settle-dependencies',
  text: `
    SELECT w.id AS task_id, t.id, t.status FROM tasks w
    JOIN tasks t ON t.id = ANY(w.dependencies) AND t.project_id = w.project_id
    WHERE w.project_id = $1 AND w.id = ANY($2::text[])`,
};

/** Settles what has ended and nobody waits for. */
export const SETTLE_MARK_UNAWAITED = {
  name: 'settle-mark-unawaited',
  text: `
    UPDATE tasks t SET settled = true FROM unnest($1::text[], $2::text[]) AS e(id, project_id)
    WHERE t.id = e.id AND t.project_id = e.project_id AND NOT t.settled AND NOT t.awaited`,
};

/** Settles what has ended. A task that was retried meanwhile is no longer unsettled, and stays as it is. */
export const SETTLE_MARK = {
  name: 'settle-mark',
  text: `
    UPDATE tasks t SET settled = true FROM unnest($1::text[], $2::text[]) AS e(id, project_id)
    WHERE t.id = e.id AND t.project_id = e.project_id AND NOT t.settled`,
};
