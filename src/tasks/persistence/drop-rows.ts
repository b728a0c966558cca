const ENDED = `('completed', 'failed', 'cancelled')`;

const IS_FREE = `t.status IN ${ENDED} AND t.settled AND t.ended_at < clock_timestamp() - make_interval(days => $3)
      AND NOT EXISTS (
        SELECT FROM task_dependencies d JOIN tasks w ON w.id = d.task_id AND w.project_id = d.project_id
        WHERE d.depends_on = t.id AND d.project_id = t.project_id AND w.status NOT IN ${ENDED})`;

const DROP = `
    , attempts AS (
      DELETE FROM task_attempts a USING old WHERE a.task_id = old.id AND a.project_id = old.project_id
    ), needs AS (
      DELETE FROM task_dependencies d USING old
      WHERE d.depends_on = ANY(old.dependencies) AND d.project_id = old.project_id AND d.task_id = old.id
    ), needed AS (
      DELETE FROM task_dependencies d USING old WHERE d.depends_on = old.id AND d.project_id = old.project_id
    )
    DELETE FROM tasks t USING old WHERE t.id = old.id AND t.project_id = old.project_id RETURNING t.id`;

/** $1 project, $2 ids, $3 days: drops those that belong to no workflow, ended so long ago, and are needed by nobody. */
export const DROP_TASKS = {
  name: 'tasks-drop',
  text: `
    WITH old AS (
      SELECT t.id, t.project_id, t.dependencies FROM tasks t
      WHERE t.project_id = $1 AND t.id = ANY($2::text[]) AND t.parent_workflow_id IS NULL AND ${IS_FREE}
      ORDER BY t.id FOR UPDATE OF t SKIP LOCKED
    )${DROP}`,
};

/** $1 project, $2 workflows, $3 days, $4 rows: drops the tasks of workflows that have ended, as far as they are free. */
export const DROP_TASKS_OF_WORKFLOWS = {
  name: 'tasks-drop-of-workflows',
  text: `
    WITH old AS (
      SELECT t.id, t.project_id, t.dependencies FROM tasks t
      WHERE t.project_id = $1 AND t.parent_workflow_id = ANY($2::text[]) AND ${IS_FREE}
      ORDER BY t.id LIMIT $4 FOR UPDATE OF t SKIP LOCKED
    )${DROP}`,
};
