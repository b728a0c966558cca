import type { Sql, Statement } from '../../platform/database/statement.js';
import type { PageKey } from '../../platform/http/page.js';
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

const NEWEST_FIRST = 'ORDER BY r.created_at DESC, r.id DESC, r.project_id DESC';

/** $1 project, $2/$3 created after/before, $4 to $6 key of the page before. */
const source = (project: string): string => `
  SELECT r.* FROM requests r
  WHERE ${project} AND r.created_at > $2::timestamptz AND r.created_at < $3::timestamptz
    AND (r.created_at, r.id, r.project_id) < ($4::timestamptz, $5::text, $6::text)
  ${NEWEST_FIRST}`;
const OF_PROJECT = source('r.project_id = $1');
const OF_ALL = source(`$1::text = '${ANY_PROJECT}'`);

const list = (rows: string): string => `
  SELECT r.* FROM (${rows} LIMIT ${LOOKED_THROUGH}) r
  WHERE ($7::text IS NULL OR r.status = $7) AND ($8::text IS NULL OR r.source = $8)
    AND ($9::text IS NULL OR r.target = $9) AND ($10::text IS NULL OR r.correlation_id = $10)
  ${NEWEST_FIRST} LIMIT $11`;
const LIST_OF_PROJECT: Sql = { name: 'requests-list', text: list(OF_PROJECT) };
const LIST_OF_ALL: Sql = { name: 'requests-list-all', text: list(OF_ALL) };

const end = (rows: string): string =>
  `SELECT r.id, r.project_id, r.created_at FROM (${rows} OFFSET ${LOOKED_THROUGH - 1} LIMIT 1) r`;
const END_OF_PROJECT: Sql = { name: 'requests-list-end', text: end(OF_PROJECT) };
const END_OF_ALL: Sql = { name: 'requests-list-all-end', text: end(OF_ALL) };

/** Requests, newest first, from behind `after`. Rows: AgentRequest. */
export function listRequests(filter: RequestFilter, after: PageKey | undefined, limit: number): Statement {
  const { status, source: from, target, correlationId } = filter;
  return {
    ...(filter.projectId === ANY_PROJECT ? LIST_OF_ALL : LIST_OF_PROJECT),
    values: [...scopeOf(filter, after), status, from, target, correlationId, limit],
  };
}

/** The row at which the look of {@link listRequests} had to end, if it had to. */
export function endOfLook(filter: RequestFilter, after: PageKey | undefined): Statement {
  return {
    ...(filter.projectId === ANY_PROJECT ? END_OF_ALL : END_OF_PROJECT),
    values: scopeOf(filter, after),
  };
}

export type ListedRow = Pick<AgentRequest, 'id' | 'project_id' | 'created_at'>;

/** Where a page ended: ids are unique per project only. */
export function pageKeyOf(request: ListedRow): PageKey {
  return { createdAt: request.created_at, id: `${request.id}/${request.project_id}` };
}

/** Never null: a plan for "from there or from the beginning" could not begin there. */
function scopeOf(filter: RequestFilter, after: PageKey | undefined): unknown[] {
  const [afterId = '', afterProject = ''] = after?.id.split('/') ?? [];
  const { projectId, createdAfter = '-infinity', createdBefore = 'infinity' } = filter;
  return [projectId, createdAfter, createdBefore, after?.createdAt ?? 'infinity', afterId, afterProject];
}
