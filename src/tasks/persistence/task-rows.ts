import type { LockMode } from '../../platform/database/batch.js';
import type { Sql, Statement } from '../../platform/database/statement.js';
import type { EndedAttempt, Task } from '../domain/task.js';
import { drawTurns } from './fairness-rows.js';

/** Where a task is: ids are unique per project. */
export interface TaskKey {
  readonly id: string;
  readonly projectId: string;
}

const LOCK = (wait: boolean): string => `
  SELECT t.* FROM tasks t
  JOIN unnest($1::text[], $2::text[]) AS k(id, project_id) ON t.id = k.id AND t.project_id = k.project_id
  ORDER BY t.id, t.project_id
  FOR UPDATE OF t ${wait ? '' : 'SKIP LOCKED'}`;

const LOCK_SKIPPING = { name: 'tasks-lock-skip', text: LOCK(false) };
const LOCK_WAITING = { name: 'tasks-lock-wait', text: LOCK(true) };

/** Locks tasks by id and reads them. Rows: Task. */
export function lockTasks(keys: readonly TaskKey[], mode: LockMode): Statement {
  return { ...(mode === 'skip' ? LOCK_SKIPPING : LOCK_WAITING), values: pairs(keys) };
}

/** Which of these tasks exist, locked or not. It tells a busy row from a missing one. Rows: id, project_id. */
export function existingTasks(keys: readonly TaskKey[]): Statement {
  return {
    name: 'tasks-exist',
    text: `
      SELECT t.id, t.project_id FROM tasks t
      JOIN unnest($1::text[], $2::text[]) AS k(id, project_id) ON t.id = k.id AND t.project_id = k.project_id`,
    values: pairs(keys),
  };
}

/** Columns that never change after the insert. */
const FIXED = `id text, project_id text, type text, agent_type text, requested_agent text, parent_workflow_id text,
  stage_name text, stage_run int, input_data jsonb, template_version int, dependencies text[], required_capabilities text[], retry_policy jsonb,
  fairness_key text, on_agent_unavailable text, on_dependency_failure text, correlation_id text, route int,
  body_hash text, created_at timestamptz`;

/** Columns that a decision may change. */
const CHANGING = `status text, priority text, assigned_agent text, agent_project text, session_epoch int, timeout int,
  not_before timestamptz, metadata jsonb, progress real, attempt int, attempts_forgiven int, output_data jsonb, error jsonb,
  estimated_completion timestamptz, rank smallint, vtime bigint, claimable boolean, paused boolean, available_at timestamptz,
  assigned_at timestamptz, lease_until timestamptz, deadline_at timestamptz, check_at timestamptz, settled boolean,
  awaited boolean, seq bigint, updated_at timestamptz, started_at timestamptz, ended_at timestamptz`;

const names = (columns: string): string[] =>
  columns.split(',').map((column) => column.trim().split(' ')[0] ?? '');

const INSERT = {
  name: 'tasks-insert',
  text: `
    INSERT INTO tasks (${names(`${FIXED}, ${CHANGING}`).join(', ')})
    SELECT * FROM json_to_recordset($1::json) AS n(${FIXED}, ${CHANGING}) ORDER BY n.id, n.project_id`,
};

/** For tasks with fairness keys: those that can be claimed get their turn. */
const INSERT_FAIR = {
  name: 'tasks-insert-fair',
  text: `
    WITH n AS (SELECT * FROM json_to_recordset($1::json) AS n(${FIXED}, ${CHANGING})), ${drawTurns('n.claimable')}
    INSERT INTO tasks (${names(`${FIXED}, ${CHANGING}`).join(', ')})
    SELECT ${names(`${FIXED}, ${CHANGING}`)
      .map((column) => (column === 'vtime' ? 'coalesce(turns.vtime, n.vtime)' : `n.${column}`))
      .join(', ')}
    FROM n LEFT JOIN turns USING (id, project_id) ORDER BY n.id, n.project_id`,
};

/** What was not read stays as it is, and is not written anew. */
const setTo = (column: string): string =>
  column === 'output_data'
    ? 'output_data = CASE WHEN n.keeps_output THEN t.output_data ELSE n.output_data END'
    : `${column} = n.${column}`;

const UPDATE = {
  name: 'tasks-update',
  text: `
    UPDATE tasks t SET ${names(CHANGING).map(setTo).join(', ')}
    FROM json_to_recordset($1::json) AS n(id text, project_id text, keeps_output boolean, ${CHANGING})
    WHERE t.id = n.id AND t.project_id = n.project_id`,
};

const UPDATE_FAIR = {
  name: 'tasks-update-fair',
  text: `
    WITH n AS (
      SELECT n.*, t.route, t.fairness_key, t.created_at
      FROM json_to_recordset($1::json) AS n(id text, project_id text, keeps_output boolean, ${CHANGING})
      JOIN tasks t ON t.id = n.id AND t.project_id = n.project_id
    ), ${drawTurns('n.claimable')}
    UPDATE tasks t SET ${names(CHANGING)
      .map((column) => (column === 'vtime' ? 'vtime = coalesce(turns.vtime, n.vtime)' : setTo(column)))
      .join(', ')}
    FROM n LEFT JOIN turns USING (id, project_id)
    WHERE t.id = n.id AND t.project_id = n.project_id`,
};

/** Does one of them need a turn among keys? */
const isFair = (tasks: readonly Task[]): boolean =>
  tasks.some((task) => task.claimable && task.fairness_key !== null);

/** Tasks of a project by id, locked, with something `instead` of columns that may be large. */
function lockWith(name: string, instead: Readonly<Record<string, string>>): Sql {
  const columns = names(`${FIXED}, ${CHANGING}`).map((column) =>
    column in instead ? `${instead[column]} AS ${column}` : `t.${column}`,
  );
  const text = `
    SELECT ${columns.join(', ')} FROM tasks t
    WHERE t.project_id = $1 AND t.id = ANY($2::text[]) ORDER BY t.id, t.project_id FOR UPDATE`;
  return { name, text };
}

/** What they were given never changes, and is not needed to change the rest. */
export const LOCK_BUT_INPUT = lockWith('tasks-lock-but-input', { input_data: 'NULL' });

/** To end them: what they gave so far is not needed either. */
export const LOCK_TO_END = lockWith('tasks-lock-to-end', {
  input_data: 'NULL',
  output_data: `CASE WHEN t.status = 'completed' THEN t.output_data END`,
});

const CHANGING_NAMES = new Set(['id', 'project_id', ...names(CHANGING)]);

export function insertTasks(tasks: readonly Task[]): Statement {
  return { ...(isFair(tasks) ? INSERT_FAIR : INSERT), values: [JSON.stringify(tasks)] };
}

/** Writes the changing columns of tasks whose rows are locked. */
export function updateTasks(tasks: readonly Task[]): Statement {
  const rows = tasks.map((task) => ({
    ...Object.fromEntries(Object.entries(task).filter(([name]) => CHANGING_NAMES.has(name))),
    keeps_output: task.output_data === undefined,
  }));
  return { ...(isFair(tasks) ? UPDATE_FAIR : UPDATE), values: [JSON.stringify(rows)] };
}

export function insertDependencies(tasks: readonly Task[]): Statement {
  const rows = tasks.flatMap((task) =>
    task.dependencies.map((dependency) => [task.id, task.project_id, dependency] as const),
  );
  return {
    name: 'task-dependencies-insert',
    text: `
      INSERT INTO task_dependencies (task_id, project_id, depends_on)
      SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ON CONFLICT DO NOTHING`,
    values: [rows.map((row) => row[0]), rows.map((row) => row[1]), rows.map((row) => row[2])],
  };
}

/** An attempt that ended: the task as it was while it was held, and how it ended. */
export interface AttemptEnd {
  readonly held: Task;
  readonly ended: EndedAttempt;
  readonly endedAt: string;
}

export function insertAttempts(attempts: readonly AttemptEnd[]): Statement {
  const rows = attempts.map(({ held, ended, endedAt }) => ({
    task_id: held.id,
    project_id: held.project_id,
    attempt: held.attempt,
    agent_id: held.assigned_agent,
    assigned_at: held.assigned_at,
    ended_at: endedAt,
    outcome: ended.outcome,
    error: ended.error,
  }));
  return {
    name: 'task-attempts-insert',
    text: `
      INSERT INTO task_attempts
      SELECT * FROM json_to_recordset($1::json) AS a(task_id text, project_id text, attempt int, agent_id text,
        assigned_at timestamptz, ended_at timestamptz, outcome text, error jsonb)`,
    values: [JSON.stringify(rows)],
  };
}

/** Keys as two columns. */
export function pairs(keys: readonly TaskKey[]): [string[], string[]] {
  return [keys.map((key) => key.id), keys.map((key) => key.projectId)];
}
