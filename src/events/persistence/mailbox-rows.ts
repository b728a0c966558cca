import type { Statement } from '../../platform/database/statement.js';

/** Written with an agent's registration: from then on it can be addressed, and for ever. */
export function openMailbox(projectId: string, agentId: string): Statement {
  return {
    name: 'mailbox-open',
    text: 'INSERT INTO mailboxes (agent_id, project_id) VALUES ($1, $2) ON CONFLICT DO NOTHING',
    values: [agentId, projectId],
  };
}
