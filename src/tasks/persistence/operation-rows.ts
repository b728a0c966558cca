import type { Sql, Statement } from '../../platform/database/statement.js';
import type { TaskFilter } from './task-list.js';

/** Something that is done to many tasks, in small batches, as its row stands. */
export interface TaskOperation {
  readonly id: string;
  readonly project_id: string;
  readonly kind: 'retry';
  readonly status: 'running' | 'completed';
  readonly filter: TaskFilter;
  /** Tasks that were meant when it began, counted to a limit. */
  readonly matched: number;
  readonly done: number;
  /** Tasks it left as they are. */
  readonly skipped: number;
  readonly position_at: string | null;
  readonly position_id: string | null;
  readonly body_hash: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly ended_at: string | null;
}

export const FIND_OPERATION: Sql = {
  name: 'operation-find',
  text: 'SELECT o.* FROM task_operations o WHERE o.id = $1 AND ($2::text IS NULL OR o.project_id = $2) LIMIT 2',
};

/** One that has not ended, and that no other process works on. */
export const TAKE_OPERATION: Sql = {
  name: 'operation-take',
  text: `
    SELECT o.* FROM task_operations o WHERE o.status = 'running'
    ORDER BY o.created_at LIMIT 1 FOR UPDATE SKIP LOCKED`,
};

/** Nobody asks any more how it went. Values: rows at most. */
export const FORGET_OPERATIONS: Sql = {
  name: 'operations-forget',
  text: `
    DELETE FROM task_operations o USING (
      SELECT old.id, old.project_id FROM task_operations old
      WHERE old.status = 'completed' AND old.ended_at < clock_timestamp() - interval '30 days' LIMIT $1
      FOR UPDATE SKIP LOCKED) gone
    WHERE o.id = gone.id AND o.project_id = gone.project_id RETURNING 1`,
};

const COLUMNS = `id, project_id, kind, status, filter, matched, done, skipped, position_at, position_id, body_hash,
  created_at, updated_at, ended_at`;

const TYPES = `id text, project_id text, kind text, status text, filter jsonb, matched int, done int, skipped int,
  position_at timestamptz, position_id text, body_hash text, created_at timestamptz, updated_at timestamptz,
  ended_at timestamptz`;

export function insertOperation(operation: TaskOperation): Statement {
  return {
    name: 'operation-insert',
    text: `INSERT INTO task_operations (${COLUMNS}) SELECT ${COLUMNS} FROM json_to_record($1::json) AS n(${TYPES})`,
    values: [JSON.stringify(operation)],
  };
}

/** Writes how far it has come. */
export function moveOperation(operation: TaskOperation): Statement {
  return {
    name: 'operation-move',
    text: `
      UPDATE task_operations o SET status = n.status, done = n.done, skipped = n.skipped, position_at = n.position_at,
        position_id = n.position_id, updated_at = n.updated_at, ended_at = n.ended_at
      FROM json_to_record($1::json) AS n(${TYPES}) WHERE o.id = n.id AND o.project_id = n.project_id`,
    values: [JSON.stringify(operation)],
  };
}
