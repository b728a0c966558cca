import type { LockMode } from '../../platform/database/batch.js';
import type { Sql, Statement } from '../../platform/database/statement.js';
import { ANY_PROJECT } from '../../shared/ids.js';

/** Whose mailbox it is. */
export interface MailboxKey {
  readonly agentId: string;
  readonly projectId: string;
}

/**
 * Written with an agent's registration: from then on it can be addressed, and for ever. All that was said before, to
 * nobody of that id, counts as acknowledged.
 */
export function openMailbox(projectId: string, agentId: string): Statement {
  return {
    name: 'mailbox-open',
    text: `
      INSERT INTO mailboxes (agent_id, project_id, acked_pos)
      SELECT $1, $2, greatest(l.pos, (SELECT max(e.pos) FROM events e)) FROM log_start l
      ON CONFLICT DO NOTHING`,
    values: [agentId, projectId],
  };
}

export interface MailboxRow {
  readonly agent_id: string;
  readonly project_id: string;
  /** Everything up to here is acknowledged. */
  readonly acked_pos: number;
}

export const FIND_MAILBOX: Sql = {
  name: 'mailbox-find',
  text: 'SELECT m.agent_id, m.project_id, m.acked_pos FROM mailboxes m WHERE m.agent_id = $1 AND m.project_id = $2',
};

export const MAILBOX_PROJECTS: Sql = {
  name: 'mailbox-projects',
  text: 'SELECT m.project_id FROM mailboxes m WHERE m.agent_id = $1 ORDER BY m.project_id LIMIT 100',
};

export interface LockedMailboxRow extends MailboxRow {
  /** The position of the newest event. */
  readonly log_end: number;
}

/** Locks mailboxes by id, in order. Rows: LockedMailboxRow. */
export function lockMailboxes(keys: readonly MailboxKey[], mode: LockMode): Statement {
  return {
    name: `mailboxes-lock-${mode}`,
    text: `
      SELECT m.agent_id, m.project_id, m.acked_pos,
        (SELECT greatest(l.pos, (SELECT max(e.pos) FROM events e)) FROM log_start l) AS log_end
      FROM mailboxes m JOIN unnest($1::text[], $2::text[]) AS k(agent_id, project_id)
        ON m.agent_id = k.agent_id AND m.project_id = k.project_id
      ORDER BY m.agent_id, m.project_id FOR UPDATE OF m ${mode === 'skip' ? 'SKIP LOCKED' : ''}`,
    values: keysOf(keys),
  };
}

/** Moves the acknowledged positions of locked mailboxes. */
export function writeAcknowledged(rows: readonly MailboxRow[]): Statement {
  return {
    name: 'mailboxes-acknowledge',
    text: `
      UPDATE mailboxes m SET acked_pos = k.pos
      FROM unnest($1::text[], $2::text[], $3::bigint[]) AS k(agent_id, project_id, pos)
      WHERE m.agent_id = k.agent_id AND m.project_id = k.project_id`,
    values: [
      rows.map((row) => row.agent_id),
      rows.map((row) => row.project_id),
      rows.map((row) => row.acked_pos),
    ],
  };
}

function keysOf(keys: readonly MailboxKey[]): readonly unknown[] {
  return [keys.map(({ agentId }) => agentId), keys.map(({ projectId }) => projectId)];
}

/** $1 agents, $2 the projects that mean them: the mailbox of the project's own, else that of `*`. */
export const ADDRESSED_MAILBOXES = {
  name: 'mailboxes-addressed',
  text: `
    SELECT k.project_id AS asked_project, m.agent_id, m.project_id
    FROM unnest($1::text[], $2::text[]) AS k(agent_id, project_id)
    CROSS JOIN LATERAL (
      SELECT b.agent_id, b.project_id FROM mailboxes b
      WHERE b.agent_id = k.agent_id AND b.project_id IN (k.project_id, '${ANY_PROJECT}')
      ORDER BY b.project_id = '${ANY_PROJECT}' LIMIT 1) m`,
};

export interface AddressedRow {
  readonly asked_project: string;
  readonly agent_id: string;
  readonly project_id: string;
}
