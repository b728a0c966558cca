import { type PageKey, partsOf } from '../../platform/http/page.js';
import type { Sql, Statement } from '../../platform/database/statement.js';
import { ANY_PROJECT } from '../../shared/ids.js';
import type { AgentStatus } from '../domain/agent.js';
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

/** The filters that have an index each, as they are when they do not filter and when they do. */
const PROJECT = [`$1::text = '${ANY_PROJECT}'`, 'a.project_id = $1'] as const;
const TYPE = ['$2::text IS NULL', 'a.type = $2'] as const;
const CAPABILITY = ['$3::text IS NULL', 'a.capabilities @> ARRAY[$3::text]'] as const;

const list = (...indexed: readonly string[]): string => `
  SELECT ${AGENT_COLUMNS} FROM agents a
  WHERE ${indexed.join(' AND ')}
    AND ($4::timestamptz IS NULL OR a.created_at > $4)
    AND ($5::timestamptz IS NULL OR a.created_at < $5)
    AND ($6::text IS NULL OR EXISTS (SELECT FROM events e WHERE e.aggregate_id = a.id AND e.project_id = a.project_id
      AND e.type = 'agent.registered' AND e.correlation_id = $6))
    AND ($7::boolean IS NULL OR a.draining = $7)
    AND ($8::text IS NULL OR a.liveness = $8)
    AND ($9::timestamptz IS NULL OR (a.created_at, a.id, a.project_id) < ($9, $10::text, $11::text))
  ORDER BY a.created_at DESC, a.id DESC, a.project_id DESC
  LIMIT $12`;

/** A statement for each combination: a plan for "filter or not" could use no index. */
function listing(project: 0 | 1, type: 0 | 1, capability: 0 | 1): Sql {
  const text = list(PROJECT[project], TYPE[type], CAPABILITY[capability]);
  return { name: `agents-list-${project}${type}${capability}`, text };
}

/** Agents newest first, from behind `after`. Load is not in this table: `active` and `busy` give both. Rows: `Agent`. */
export function listAgents(filter: AgentFilter, after: PageKey | undefined, limit: number): Statement {
  const { status } = filter;
  const liveness = status === 'busy' ? 'active' : status;
  const behind = after && partsOf(after);
  return {
    ...listing(
      filter.projectId === ANY_PROJECT ? 0 : 1,
      filter.type === undefined ? 0 : 1,
      filter.capability === undefined ? 0 : 1,
    ),
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
      behind?.id,
      behind?.project,
      limit,
    ],
  };
}
