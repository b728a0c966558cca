/** SQL of everything that only looks at tasks. */
export const FIND_TASKS = {
  name: 'tasks-find',
  text: `
    SELECT t.* FROM unnest($1::text[], $2::text[]) AS k(id, project_id)
    JOIN tasks t ON t.id = k.id AND t.project_id = k.project_id`,
};

/** Ids over all projects, for tokens that see all. */
export const LOCATE_TASKS = {
  name: 'tasks-locate',
  text: 'SELECT t.id, t.project_id FROM tasks t WHERE t.id = ANY($1::text[]) ORDER BY t.id, t.project_id LIMIT 2000',
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

/** The workflows that tasks of a project stand beside. */
export const PARENTS_OF = {
  name: 'task-parents',
  text: `
    SELECT DISTINCT t.parent_workflow_id AS id FROM tasks t
    WHERE t.project_id = $1 AND t.id = ANY($2::text[]) AND t.parent_workflow_id IS NOT NULL AND t.stage_name IS NULL`,
};

/** What an agent holds and has not started: at most what it can hold. */
export const ASSIGNED_TO = {
  name: 'tasks-assigned-to',
  text: `
    SELECT t.* FROM tasks t
    WHERE t.assigned_agent = $1 AND t.agent_project = $2 AND t.status = 'assigned'
    ORDER BY t.rank, t.vtime, t.id`,
};
