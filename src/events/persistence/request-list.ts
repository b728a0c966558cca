import type { Statement } from '../../platform/database/statement.js';
import { type PageKey, partsOf } from '../../platform/http/page.js';
import { ANY_PROJECT } from '../../shared/ids.js';
import type { AgentRequest, RequestStatus } from '../domain/request.js';

/** Which requests a list shows; what is left out does not filter. */
export interface RequestFilter {
  /** `*`: of every project. */
  readonly projectId: string;
  readonly createdAfter: string | undefined;
  readonly createdBefore: string | undefined;
  readonly status: RequestStatus | undefined;
  readonly source: string | undefined;
  readonly target: string | undefined;
  readonly correlationId: string | undefined;
}

/**
 * Filters that no index knows: an index costs every request. They look through so many of the newest; where that is not
 * enough for a page, the next page goes on behind them.
 */
const LOOKED_THROUGH = 20_000;

/** Requests, newest first, from behind `after`. Rows: AgentRequest. */
export function listRequests(filter: RequestFilter, after: PageKey | undefined, limit: number): Statement {
  const scope = scopeOf(filter, after);
  const wanted = new Conditions([...scope.values]);
  wanted.add('status', filter.status, (value) => `r.status = ${value}`);
  wanted.add('source', filter.source, (value) => `r.source = ${value}`);
  wanted.add('target', filter.target, (value) => `r.target = ${value}`);
  wanted.add('correlation', filter.correlationId, (value) => `r.correlation_id = ${value}`);
  const where = wanted.conditions.length === 0 ? '' : `WHERE ${wanted.conditions.join(' AND ')}`;
  return {
    // At most 63 characters, where Postgres cuts the name of a prepared statement.
    name: ['requests', scope.name, ...wanted.names].join(' '),
    text: `SELECT r.* FROM (${scope.text} LIMIT ${LOOKED_THROUGH}) r ${where} LIMIT ${wanted.value(limit)}`,
    values: wanted.values,
  };
}

/** The row at which the look of {@link listRequests} had to end, if it had to. Rows: ListedRow. */
export function endOfLook(filter: RequestFilter, after: PageKey | undefined): Statement {
  const { name, text, values } = scopeOf(filter, after);
  return {
    name: `requests-end ${name}`,
    text: `SELECT r.id, r.project_id, r.created_at FROM (${text} OFFSET ${LOOKED_THROUGH - 1} LIMIT 1) r`,
    values,
  };
}

export type ListedRow = Pick<AgentRequest, 'id' | 'project_id' | 'created_at'>;

/** What is looked through, along one of the two indexes that have this order. */
function scopeOf(filter: RequestFilter, after: PageKey | undefined): Required<Statement> {
  const behind = after && partsOf(after);
  const isOfAll = filter.projectId === ANY_PROJECT;
  const scope = new Conditions([]);
  if (isOfAll) scope.conditions.push(`r.project_id <> ''`);
  else scope.add('one', filter.projectId, (value) => `r.project_id = ${value}`);
  scope.add('since', filter.createdAfter, (value) => `r.created_at > ${value}::timestamptz`);
  scope.add('until', filter.createdBefore, (value) => `r.created_at < ${value}::timestamptz`);
  scope.add('from', after?.createdAt, (createdAt) => {
    const key = `${createdAt}::timestamptz, ${scope.value(behind?.id)}::text`;
    return isOfAll
      ? `(r.created_at, r.id, r.project_id) < (${key}, ${scope.value(behind?.project)}::text)`
      : `(r.created_at, r.id) < (${key})`;
  });
  return {
    name: scope.names.join(' '),
    text: `SELECT r.* FROM requests r WHERE ${scope.conditions.join(' AND ')}
      ORDER BY r.created_at DESC, r.id DESC${isOfAll ? ', r.project_id DESC' : ''}`,
    values: scope.values,
  };
}

/** Only what filters is in the text, so that the planner knows how much is left and which index has the order. */
class Conditions {
  readonly names: string[] = [];
  readonly conditions: string[] = [];

  constructor(readonly values: unknown[]) {}

  add(name: string, value: string | undefined, condition: (value: string) => string): void {
    if (value === undefined) return;
    this.names.push(name);
    this.conditions.push(condition(this.value(value)));
  }

  value(value: unknown): string {
    return `$${this.values.push(value)}`;
  }
}
