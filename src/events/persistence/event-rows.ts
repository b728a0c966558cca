import type { LoggedEvent } from '../../shared/domain-event.js';

/** A row of `events`, as the statements below answer. */
export interface EventRow {
  readonly pos: number;
  readonly project_id: string;
  readonly id: string;
  readonly type: string;
  readonly topic: string;
  readonly aggregate_id: string;
  readonly seq: number;
  readonly source_agent: string | null;
  readonly target_agent: string | null;
  readonly correlation_id: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly created_at: string;
  readonly mailbox: string | null;
  readonly is_private: boolean;
}

const COLUMNS = `e.pos, e.project_id, e.id, e.type, e.topic, e.aggregate_id, e.seq, e.source_agent, e.target_agent,
  e.correlation_id, e.payload, e.created_at, e.mailbox, e.is_private`;

/** Made once per log; a restored database gets a new one. */
export const EPOCH = {
  name: 'log-epoch',
  text: `
    WITH made AS (
      INSERT INTO server_settings (name, value) VALUES ('log_epoch', $1) ON CONFLICT (name) DO NOTHING RETURNING value)
    SELECT value FROM made UNION ALL SELECT value FROM server_settings WHERE name = 'log_epoch' LIMIT 1`,
};

/** Where the log begins and ends; an empty one ends where it begins. `greatest` passes over a null. */
export const BOUNDS = {
  name: 'log-bounds',
  text: `SELECT s.pos AS start, greatest(s.pos, (SELECT max(e.pos) FROM events e)) AS "end" FROM log_start s`,
};

/** A row of a page, with the size of its payload in bytes. */
export interface PageRow extends EventRow {
  readonly size: number;
}

/** What one page holds at most, in bytes of payloads; one event is a page, however large it is. */
export const PAGE_BYTES = 16 * 1024 * 1024;

/**
 * Never less than the payload's size, and found without fetching what is stored apart: what is compressed to less than
 * 8 KiB is unpacked and measured, what is larger counts as 2 MiB, which no payload exceeds.
 */
const SIZE = `CASE WHEN pg_column_compression(e.payload) IS NULL THEN pg_column_size(e.payload)
  WHEN pg_column_size(e.payload) < 8192 THEN octet_length(e.payload::text) ELSE 2097152 END`;

/** The first rows of a condition, in order of the log, as many as $limit says and a page holds. */
const pageOf = (condition: string, limit: string): string => `
    SELECT ${COLUMNS}, e.size FROM (
      SELECT e.*, s.size, sum(s.size) OVER (ORDER BY e.pos ROWS UNBOUNDED PRECEDING) AS sum
      FROM events e CROSS JOIN LATERAL (SELECT ${SIZE} AS size) s
      WHERE ${condition} ORDER BY e.pos LIMIT ${limit}) e
    WHERE e.sum - e.size < ${PAGE_BYTES} ORDER BY e.pos`;

export const AFTER = {
  name: 'log-after',
  text: pageOf('e.pos > $1', '$2'),
};

/** $1 project (null: all), $2 after, $3 up to and with, $4 correlation id, $5 rows. */
export const PROJECT_PAGE = {
  name: 'log-page',
  text: pageOf(
    `($1::text IS NULL OR e.project_id = $1) AND e.pos > $2 AND e.pos <= $3 AND NOT e.is_private
      AND ($4::text IS NULL OR e.correlation_id = $4)`,
    '$5',
  ),
};

/** $1 mailbox, $2 after, $3 up to and with, $4 rows. A message that expired before it was read is not read any more. */
export const MAILBOX_PAGE = {
  name: 'log-mailbox',
  text: pageOf(
    `e.mailbox = $1 AND e.pos > $2 AND e.pos <= $3 AND NOT (e.is_private AND EXISTS (
      SELECT FROM messages m WHERE m.id = e.aggregate_id AND m.project_id = e.project_id AND m.expired_at IS NOT NULL))`,
    '$4',
  ),
};

/** $3: how the types of its events begin; a task and a workflow may have one id. */
export const AGGREGATE = {
  name: 'log-aggregate',
  text: `
    SELECT ${COLUMNS} FROM events e
    WHERE e.aggregate_id = $1 AND e.project_id = $2 AND e.type LIKE $3 || '.%' AND NOT e.is_private
    ORDER BY e.seq LIMIT $4`,
};

export const LATEST = {
  name: 'log-latest',
  text: `
    SELECT ${COLUMNS} FROM events e WHERE e.aggregate_id = $1 AND e.project_id = $2 AND e.type = $3 AND NOT e.is_private
    ORDER BY e.seq DESC LIMIT 1`,
};

/** $1 ids, $2 projects: what clients put into the log themselves, which begins its aggregate and has its id. */
export const POSTED = {
  name: 'log-posted',
  text: `
    SELECT ${COLUMNS} FROM unnest($1::text[], $2::text[]) AS k(id, project_id)
    CROSS JOIN LATERAL (
      SELECT e.* FROM events e
      WHERE e.aggregate_id = k.id AND e.project_id = k.project_id AND e.seq = 1 AND e.id = k.id LIMIT 1) e`,
};

export function toEvent(row: EventRow): LoggedEvent {
  return {
    pos: row.pos,
    id: row.id,
    projectId: row.project_id,
    type: row.type,
    topic: row.topic,
    aggregateId: row.aggregate_id,
    seq: row.seq,
    sourceAgent: row.source_agent,
    targetAgent: row.target_agent,
    correlationId: row.correlation_id,
    timestamp: row.created_at,
    payload: row.payload,
    mailbox: row.mailbox,
    isPrivate: row.is_private,
  };
}
