import type { Statement } from '../../platform/database/statement.js';
import type { StoredSubscription } from '../domain/subscription.js';
import type { MailboxKey } from './mailbox-rows.js';

/** What an agent's sockets are told without asking for it. */
export interface ChannelsRow {
  readonly agent_id: string;
  readonly agent_project: string;
  /** Null: it has no mailbox. */
  readonly acked_pos: number | null;
  /** Those that are not sent to a URL. */
  readonly subscriptions: readonly Pick<
    StoredSubscription,
    'id' | 'project_id' | 'topics' | 'filters' | 'from_pos'
  >[];
}

/** A row for each of the agents. Rows: ChannelsRow. */
export function channelsOf(agents: readonly MailboxKey[]): Statement {
  return {
    name: 'channels-of-agents',
    text: `
      SELECT k.agent_id, k.project_id AS agent_project, m.acked_pos, coalesce(
        (SELECT json_agg(json_build_object('id', s.id, 'project_id', s.project_id, 'topics', s.topics,
            'filters', s.filters, 'from_pos', s.from_pos) ORDER BY s.created_at, s.id)
          FROM subscriptions s
          WHERE s.agent_id = k.agent_id AND s.agent_project = k.project_id AND s.webhook_url IS NULL), '[]') AS subscriptions
      FROM unnest($1::text[], $2::text[]) AS k(agent_id, project_id)
      LEFT JOIN mailboxes m ON m.agent_id = k.agent_id AND m.project_id = k.project_id`,
    values: [agents.map(({ agentId }) => agentId), agents.map(({ projectId }) => projectId)],
  };
}
