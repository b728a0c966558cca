/** SQL of everything that only looks at tasks. */
export const FIND_TASK = {
  name: 'tasks-find',
  text: 'SELECT t.* FROM tasks t WHERE t.id = $1 AND t.project_id = $2',
};

/** Ids over all projects, for tokens that see all. */
export const LOCATE_TASKS = {
  name: 'tasks-locate',
  text: 'SELECT t.id, t.project_id FROM tasks t WHERE t.id = ANY($1::text[]) ORDER BY t.id, t.project_id LIMIT 2000',
};

/**
 * A page, newest first: $1 project (null: all), $2 status, $3 type, $4 agent, $5 workflow, $6 priority, $7 correlation id,
 * $8/$9 created after/before, $10/$11 key of the page before, $12 rows.
 */
export const LIST_TASKS = {
  name: 'tasks-list',
  text: `
    SELECT t.* FROM tasks t
    WHERE ($1::text IS NULL OR t.project_id = $1) AND ($2::text IS NULL OR t.status = $2) AND ($3::text IS NULL OR t.type = $3)
      AND ($4::text IS NULL OR t.assigned_agent = $4) AND ($5::text IS NULL OR t.parent_workflow_id = $5)
      AND ($6::text IS NULL OR t.priority = $6) AND ($7::text IS NULL OR t.correlation_id = $7)
      AND ($8::timestamptz IS NULL OR t.created_at > $8) AND ($9::timestamptz IS NULL OR t.created_at < $9)
      AND ($10::timestamptz IS NULL OR (t.created_at, t.id) < ($10, $11::text))
    ORDER BY t.created_at DESC, t.id DESC LIMIT $12`,
};

export const ATTEMPTS_OF_TASK = {
  name: 'task-attempts-of',
  text: `
    SELECT a.attempt, a.agent_id, a.assigned_at, a.ended_at, a.outcome, a.error FROM task_attempts a
    WHERE a.task_id = $1 AND a.project_id = $2 ORDER BY a.attempt`,
};

/** Locks a task's dependencies against ending otherwise, and tells their states. */
export const DEPENDENCY_STATES = {
  name: 'task-dependency-states',
  text: `
    SELECT t.id, t.status FROM tasks t WHERE t.project_id = $1 AND t.id = ANY($2::text[])
    ORDER BY t.id FOR SHARE`,
};

/** What an agent holds and has not started: at most what it can hold. */
export const ASSIGNED_TO = {
  name: 'tasks-assigned-to',
  text: `
    SELECT t.* FROM tasks t
    WHERE t.assigned_agent = $1 AND t.agent_project = $2 AND t.status = 'assigned'
    ORDER BY t.rank, t.vtime, t.id`,
};
