import type { Sql, Statement } from '../../platform/database/statement.js';
import type { PageKey } from '../../platform/http/page.js';
import { ANY_PROJECT } from '../../shared/ids.js';
import type { StoredSubscription } from '../domain/subscription.js';

const COLUMNS = `s.id, s.project_id, s.agent_id, s.agent_project, s.topics, s.filters, s.webhook_url, s.from_pos,
  s.disabled_at, s.disabled_reason, s.created_at`;

/** Until the transaction ends nobody else makes subscriptions of this agent. */
export const LOCK_SUBSCRIBER: Sql = {
  name: 'subscriber-lock',
  text: 'SELECT m.agent_id FROM mailboxes m WHERE m.agent_id = $1 AND m.project_id = $2 FOR UPDATE',
};

export const COUNT_SUBSCRIPTIONS: Sql = {
  name: 'subscriptions-count',
  text: 'SELECT count(*) AS count FROM subscriptions s WHERE s.agent_id = $1 AND s.agent_project = $2',
};

/** It begins at the end of the log. Rows: StoredSubscription. */
export const INSERT_SUBSCRIPTION: Sql = {
  name: 'subscription-insert',
  text: `
    INSERT INTO subscriptions AS s (id, project_id, agent_id, agent_project, topics, filters, webhook_url, created_at, from_pos)
    SELECT $1, $2, $3, $4, $5::text[], $6::json, $7, $8::timestamptz, greatest(l.pos, (SELECT max(e.pos) FROM events e))
    FROM log_start l
    RETURNING ${COLUMNS}`,
};

export function subscriptionValues(
  subscription: Omit<StoredSubscription, 'from_pos' | 'disabled_at' | 'disabled_reason'>,
): readonly unknown[] {
  const { id, project_id, agent_id, agent_project, topics, filters, webhook_url, created_at } = subscription;
  return [id, project_id, agent_id, agent_project, topics, JSON.stringify(filters), webhook_url, created_at];
}

/** Ids are made here, so one id is one row, whatever the project. $2 `*`: of all projects. Rows: StoredSubscription. */
export const FIND_SUBSCRIPTION: Sql = {
  name: 'subscription-find',
  text: `SELECT ${COLUMNS} FROM subscriptions s WHERE s.id = $1 AND ($2 = '${ANY_PROJECT}' OR s.project_id = $2)`,
};

export function deleteSubscription({ id, project_id }: StoredSubscription): Statement {
  return {
    name: 'subscription-delete',
    text: 'DELETE FROM subscriptions s WHERE s.id = $1 AND s.project_id = $2',
    values: [id, project_id],
  };
}

/** Which subscriptions a list shows; what is left out does not filter. */
export interface SubscriptionFilter {
  /** `*`: of every project. */
  readonly projectId: string;
  readonly agentId?: string | undefined;
  /** The project of the agent, where only one agent's are shown. */
  readonly agentProject?: string | undefined;
  readonly createdAfter?: string | undefined;
  readonly createdBefore?: string | undefined;
}

const list = (scope: string): string => `
  SELECT ${COLUMNS} FROM subscriptions s
  WHERE ${scope}
    AND ($2::text IS NULL OR s.agent_id = $2)
    AND ($3::text IS NULL OR s.agent_project = $3)
    AND ($4::timestamptz IS NULL OR s.created_at > $4)
    AND ($5::timestamptz IS NULL OR s.created_at < $5)
    AND ($6::timestamptz IS NULL OR (s.created_at, s.id) < ($6, $7::text))
  ORDER BY s.created_at DESC, s.id DESC
  LIMIT $8`;

const OF_PROJECT = { name: 'subscriptions-list', text: list('s.project_id = $1') };
const OF_ALL = { name: 'subscriptions-list-all', text: list(`$1::text = '${ANY_PROJECT}'`) };
const OF_AGENT = {
  name: 'subscriptions-list-agent',
  text: list(`($1::text = '${ANY_PROJECT}' OR s.project_id = $1) AND s.agent_id = $2`),
};

/** Subscriptions, newest first, from behind `after`. Rows: StoredSubscription. */
export function listSubscriptions(
  filter: SubscriptionFilter,
  after: PageKey | undefined,
  limit: number,
): Statement {
  const { projectId, agentId, agentProject, createdAfter, createdBefore } = filter;
  const sql = agentId !== undefined ? OF_AGENT : projectId === ANY_PROJECT ? OF_ALL : OF_PROJECT;
  const values = [projectId, agentId, agentProject, createdAfter, createdBefore];
  return { ...sql, values: [...values, after?.createdAt, after?.id, limit] };
}
