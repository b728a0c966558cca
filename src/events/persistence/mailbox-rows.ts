import type { Statement } from '../../platform/database/statement.js';
import { ANY_PROJECT } from '../../shared/ids.js';

/** Written with an agent's registration: from then on it can be addressed, and for ever. */
export function openMailbox(projectId: string, agentId: string): Statement {
  return {
    name: 'mailbox-open',
    text: 'INSERT INTO mailboxes (agent_id, project_id) VALUES ($1, $2) ON CONFLICT DO NOTHING',
    values: [agentId, projectId],
  };
}

/** $1 agents, $2 the projects that mean them: the mailbox of the project's own, else that of `*`. */
export const MAILBOXES_FOR = {
  name: 'mailboxes-for',
  text: `
    SELECT k.project_id AS asked_project, m.agent_id, m.project_id
    FROM unnest($1::text[], $2::text[]) AS k(agent_id, project_id)
    CROSS JOIN LATERAL (
      SELECT b.agent_id, b.project_id FROM mailboxes b
      WHERE b.agent_id = k.agent_id AND b.project_id IN (k.project_id, '${ANY_PROJECT}')
      ORDER BY b.project_id = '${ANY_PROJECT}' LIMIT 1) m`,
};

export interface MailboxForRow {
  readonly asked_project: string;
  readonly agent_id: string;
  readonly project_id: string;
}
