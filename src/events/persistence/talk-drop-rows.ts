/** $1 days, $2 rows. */
export const DROP_REQUESTS = {
  name: 'requests-drop',
  text: `
    WITH old AS (
      SELECT r.id, r.project_id FROM requests r
      WHERE r.ended_at IS NOT NULL AND r.ended_at < clock_timestamp() - make_interval(days => $1)
      ORDER BY r.ended_at LIMIT $2 FOR UPDATE OF r SKIP LOCKED)
    DELETE FROM requests r USING old WHERE r.id = old.id AND r.project_id = old.project_id RETURNING r.id`,
};

/**
 * $1 days, $2 rows. An event goes with its partition, up to an eighth of the retention late: the row that says it has
 * expired outlives it. One whose time to live goes on stays until that is over.
 */
export const DROP_MESSAGES = {
  name: 'messages-drop',
  text: `
    WITH old AS (
      SELECT m.id, m.project_id FROM messages m
      WHERE m.created_at < clock_timestamp() - make_interval(days => 2 * $1) AND m.expires_at IS NULL
      ORDER BY m.created_at LIMIT $2 FOR UPDATE OF m SKIP LOCKED)
    DELETE FROM messages m USING old WHERE m.id = old.id AND m.project_id = old.project_id RETURNING m.id`,
};
