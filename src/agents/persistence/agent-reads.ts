import type { PageKey } from '../../platform/http/page.js';
import type { Statement } from '../../platform/database/statement.js';
import { ANY_PROJECT } from '../../shared/ids.js';
import type { Agent, AgentStatus } from '../domain/agent.js';
import { AGENT_COLUMNS } from './agent-rows.js';

/** Which agents a list shows; what is left out does not filter. */
export interface AgentFilter {
  /** `*`: of every project. */
  readonly projectId: string;
  readonly type?: string;
  readonly capability?: string;
  readonly createdAfter?: string;
  readonly createdBefore?: string;
  /** Of the registration that brought the agent. */
  readonly correlationId?: string;
  readonly status?: AgentStatus;
}

const list = (project: string): string => `
  SELECT ${AGENT_COLUMNS} FROM agents a
  WHERE ${project}
    AND ($2::text IS NULL OR a.type = $2)
    AND ($3::text IS NULL OR $3 = ANY(a.capabilities))
    AND ($4::timestamptz IS NULL OR a.created_at > $4)
    AND ($5::timestamptz IS NULL OR a.created_at < $5)
    AND ($6::text IS NULL OR EXISTS (SELECT FROM events e WHERE e.aggregate_id = a.id AND e.project_id = a.project_id
      AND e.type = 'agent.registered' AND e.correlation_id = $6))
    AND ($7::boolean IS NULL OR a.draining = $7)
    AND ($8::text IS NULL OR a.liveness = $8)
    AND ($9::timestamptz IS NULL OR (a.created_at, a.id, a.project_id) < ($9, $10::text, $11::text))
  ORDER BY a.created_at DESC, a.id DESC, a.project_id DESC
  LIMIT $12`;

const OF_PROJECT = { name: 'agents-list', text: list('a.project_id = $1') };
const OF_ALL = { name: 'agents-list-all', text: list(`$1::text = '${ANY_PROJECT}'`) };

/** Agents newest first, from behind `after`. Load is not in this table: `active` and `busy` give both. Rows: `Agent`. */
export function listAgents(filter: AgentFilter, after: PageKey | undefined, limit: number): Statement {
  const { status } = filter;
  const liveness = status === 'busy' ? 'active' : status;
  const [afterId = null, afterProject = null] = after === undefined ? [] : splitKey(after.id);
  return {
    ...(filter.projectId === ANY_PROJECT ? OF_ALL : OF_PROJECT),
    values: [
      filter.projectId,
      filter.type,
      filter.capability,
      filter.createdAfter,
      filter.createdBefore,
      filter.correlationId,
      status === undefined ? null : status === 'draining',
      liveness === 'draining' ? null : liveness,
      after?.createdAt,
      afterId,
      afterProject,
      limit,
    ],
  };
}

/** Where a page ended: ids are unique per project only. */
export function pageKeyOf(agent: Agent): PageKey {
  return { createdAt: agent.created_at, id: `${agent.id}/${agent.project_id}` };
}

/** A cursor of another list has no project; then nothing can stand behind it within the same instant. */
function splitKey(key: string): [string, string] {
  const [id = '', project = ''] = key.split('/');
  return [id, project];
}
