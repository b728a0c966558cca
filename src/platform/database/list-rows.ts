/** Bytes that an answer shows of what clients gave, at most, but for its first item: a page ends early at them. */
export const PAGE_BYTES = 16 * 1024 * 1024;

const LIMITS = [2, 11, 26, 51, 101, 201];

/**
 * The number of rows to read for `limit`: written into a list's SQL, so that the planner knows how few are wanted, it makes
 * few texts.
 */
export function rowsToRead(limit: number): number {
  return LIMITS.find((one) => limit <= one) ?? limit;
}

/** SQL: the order of lists. The project last: it decides between the same ids of several projects. */
export const NEWEST_FIRST = 'ORDER BY created_at DESC, id DESC, project_id DESC';

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

/**
 * SQL: those first of `rows`, by {@link NEWEST_FIRST}, whose `bytes` are not too many together, one at least, each with the
 * number of rows that were `found`.
 */
export function boundedRows(rows: string): string {
  return `
    SELECT r.* FROM (
      SELECT r.*, count(*) OVER ()::int AS found, sum(r.bytes) OVER (${NEWEST_FIRST}) - r.bytes AS before
      FROM (${rows}) r) r
    WHERE r.before < ${PAGE_BYTES}`;
}
