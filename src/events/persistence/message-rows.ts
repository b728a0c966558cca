import type { Statement } from '../../platform/database/statement.js';
import type { PostedKey } from '../posted-events.js';

/** A message beside its event: what keeps its id unique, and lets it expire. */
export interface MessageRow {
  readonly id: string;
  readonly project_id: string;
  readonly body_hash: string;
  /** The target's. */
  readonly mailbox: string;
  readonly source_agent: string | null;
  readonly source_mailbox: string | null;
  readonly target_agent: string;
  readonly correlation_id: string;
  /** Null without a time to live, and from its end on. */
  readonly expires_at: string | null;
  readonly created_at: string;
}

export function findMessages(keys: readonly PostedKey[]): Statement {
  return {
    name: 'messages-find',
    text: `SELECT m.id, m.project_id, m.body_hash FROM unnest($1::text[], $2::text[]) AS k(id, project_id)
      JOIN messages m ON m.id = k.id AND m.project_id = k.project_id`,
    values: [keys.map((key) => key.id), keys.map((key) => key.projectId)],
  };
}

export function insertMessages(messages: readonly MessageRow[]): Statement {
  return {
    name: 'messages-insert',
    text: `INSERT INTO messages (id, project_id, body_hash, mailbox, source_agent, source_mailbox, target_agent,
        correlation_id, expires_at, created_at)
      SELECT * FROM json_to_recordset($1::json) AS n(id text, project_id text, body_hash text, mailbox text,
        source_agent text, source_mailbox text, target_agent text, correlation_id text, expires_at timestamptz,
        created_at timestamptz) ORDER BY id, project_id`,
    values: [JSON.stringify(messages)],
  };
}

export const ANY_MESSAGE_OVER = {
  name: 'messages-any-over',
  // In a SELECT of its own the clock is read once, and the index can be asked for what it says.
  text: `SELECT 1 AS found FROM messages m WHERE m.expires_at <= (SELECT clock_timestamp()) ORDER BY m.expires_at LIMIT 1`,
};

/** A message whose time to live is over, and whether its target has acknowledged it. */
export interface OverRow extends Omit<MessageRow, 'body_hash'> {
  readonly acknowledged: boolean;
}

/** $1 now, $2 rows. Rows: OverRow. What the log does not hold any more stood before its start. */
export const LOCK_MESSAGES_OVER = {
  name: 'messages-lock-over',
  text: `
    SELECT m.*, coalesce(b.acked_pos, 0) >= coalesce(e.pos, s.pos) AS acknowledged
    FROM log_start s, messages m
    LEFT JOIN LATERAL (
      SELECT e.pos FROM events e
      WHERE e.aggregate_id = m.id AND e.project_id = m.project_id AND e.seq = 1 AND e.id = m.id LIMIT 1) e ON true
    LEFT JOIN mailboxes b ON b.agent_id = m.target_agent AND b.project_id = split_part(m.mailbox, ' ', 1)
    WHERE m.expires_at <= $1::timestamptz ORDER BY m.expires_at LIMIT $2
    FOR UPDATE OF m SKIP LOCKED`,
};

/** Ends the time to live of messages whose rows are locked; what was not acknowledged is not read any more. */
export function settleMessages(messages: readonly OverRow[], now: string): Statement {
  const rows = messages.map(({ id, project_id, acknowledged }) => {
    return { id, project_id, expired_at: acknowledged ? null : now };
  });
  return {
    name: 'messages-settle',
    text: `UPDATE messages m SET expires_at = NULL, expired_at = n.expired_at
      FROM json_to_recordset($1::json) AS n(id text, project_id text, expired_at timestamptz)
      WHERE m.id = n.id AND m.project_id = n.project_id`,
    values: [JSON.stringify(rows)],
  };
}
