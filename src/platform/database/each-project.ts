/**
 * SQL: what `rows` finds in each project that has rows in `table`, stepping from project to project, since the indexes of
 * lists lead with the project. `rows` names the project `p.project_id`.
 */
export function eachProject(table: string, rows: string): string {
  return `
    WITH RECURSIVE projects AS (
      (SELECT t.project_id FROM ${table} t ORDER BY t.project_id LIMIT 1)
      UNION ALL
      SELECT next.project_id FROM projects p CROSS JOIN LATERAL (
        SELECT t.project_id FROM ${table} t WHERE t.project_id > p.project_id ORDER BY t.project_id LIMIT 1) next)
    SELECT r.* FROM projects p CROSS JOIN LATERAL (${rows}) r`;
}
