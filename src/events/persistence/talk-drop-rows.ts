/** The clock is read once, so that an index can be asked for what it says. */
const daysAgo = (days: string): string => `(SELECT clock_timestamp() - make_interval(days => ${days}))`;

/** $1 days, $2 rows. Rows are found by where they lie: a join would read the whole table. */
export const DROP_REQUESTS = {
  name: 'requests-drop',
  text: `
    DELETE FROM requests r WHERE r.ctid = ANY (ARRAY(
      SELECT o.ctid FROM requests o WHERE o.ended_at IS NOT NULL AND o.ended_at < ${daysAgo('$1')}
      ORDER BY o.ended_at LIMIT $2 FOR UPDATE SKIP LOCKED))
    RETURNING r.id`,
};

/**
 * $1 days, $2 rows. An event goes with its partition, up to an eighth of the retention late: the row that says it has
 * expired outlives it. One whose time to live goes on stays until that is over.
 */
export const DROP_MESSAGES = {
  name: 'messages-drop',
  text: `
    DELETE FROM messages m WHERE m.ctid = ANY (ARRAY(
      SELECT o.ctid FROM messages o WHERE o.created_at < ${daysAgo('2 * $1')} AND o.expires_at IS NULL
      ORDER BY o.created_at LIMIT $2 FOR UPDATE SKIP LOCKED))
    RETURNING m.id`,
};
