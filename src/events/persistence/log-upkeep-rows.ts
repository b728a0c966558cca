/** The log as its upkeep sees it, in one row. */
export interface LogStateRow {
  readonly now: string;
  readonly next: number;
  readonly start: number;
  readonly start_moved_at: string;
  readonly partitions: readonly PartitionRow[];
}

interface PartitionRow {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly detaching: boolean;
  readonly first_at: string | null;
  readonly last_at: string | null;
  readonly last_pos: number | null;
}

const TIME = `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`;

/** First and last event of a partition are found by position, so that of each one index entry is read. */
export const LOG_STATE = {
  name: 'log-state',
  text: `
    WITH parts AS (
      SELECT c.relname AS name, (b.bound)[1]::bigint AS "from", (b.bound)[2]::bigint AS "to", i.inhdetachpending AS detaching
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      CROSS JOIN LATERAL (
        SELECT regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \\(''?(\\d+)''?\\) TO \\(''?(\\d+)''?\\)') AS bound) b
      WHERE i.inhparent = 'events'::regclass)
    SELECT date_trunc('milliseconds', clock_timestamp()) AS now, s.pos AS start, s.moved_at AS start_moved_at,
      (SELECT CASE WHEN q.is_called THEN q.last_value + 1 ELSE q.last_value END FROM events_pos q) AS next,
      (SELECT json_agg(json_build_object('name', p.name, 'from', p."from", 'to', p."to", 'detaching', p.detaching,
          'first_at', to_char(f.created_at, ${TIME}), 'last_at', to_char(l.created_at, ${TIME}), 'last_pos', l.pos)
          ORDER BY p."from")
        FROM parts p
        LEFT JOIN LATERAL (
          SELECT e.created_at FROM events e WHERE e.pos >= p."from" AND e.pos < p."to" ORDER BY e.pos LIMIT 1) f ON true
        LEFT JOIN LATERAL (
          SELECT e.created_at, e.pos FROM events e WHERE e.pos >= p."from" AND e.pos < p."to" ORDER BY e.pos DESC LIMIT 1) l
          ON true) AS partitions
    FROM log_start s`,
};

/** Partitions that were taken out of the log by a process that died before it dropped them. */
export const LEFT_OVER = `
  SELECT c.relname AS name FROM pg_class c
  WHERE c.relkind = 'r' AND NOT c.relispartition AND c.relname ~ '^events_p\\d+$' AND c.relnamespace = 'public'::regnamespace`;
