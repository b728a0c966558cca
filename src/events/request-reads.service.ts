import { Injectable } from '@nestjs/common';
import { Database } from '../platform/database/database.js';
import { JointRead } from '../platform/database/joint-read.js';
import type { Statement } from '../platform/database/statement.js';
import { decodeCursor, encodeCursor, type Page, pageKeyOf, pageOf } from '../platform/http/page.js';
import type { Patience } from '../platform/http/patience.js';
import { notFound } from '../shared/domain-error.js';
import { ANY_PROJECT, rowKey } from '../shared/ids.js';
import { onlyProject } from '../shared/only-project.js';
import type { AgentRequest } from './domain/request.js';
import { EndWatch } from './end-watch.js';
import { endOfLook, type ListedRow, listRequests, type RequestFilter } from './persistence/request-list.js';
import { findRequests, LOCATE_REQUEST, type RequestKey } from './persistence/request-rows.js';
import { requestView, type RequestView } from './request-view.js';

/** Everything that only looks at requests. */
@Injectable()
export class RequestReads {
  private readonly found: JointRead<RequestKey, AgentRequest>;

  constructor(
    private readonly database: Database,
    private readonly watch: EndWatch,
  ) {
    this.found = new JointRead(nameOf, (keys) => this.findAll(keys));
  }

  /**
   * Where an id is: in the caller's project, or, for a `*` token, wherever there is one.
   * @throws DomainError NOT_FOUND, or CONFLICT listing the projects when the id is in several
   */
  async locate(projectId: string, id: string): Promise<RequestKey> {
    if (projectId !== ANY_PROJECT) return { id, projectId };
    const rows = await this.database.query<{ project_id: string }>(LOCATE_REQUEST, [id]);
    const projects = rows.map((row) => row.project_id);
    return { id, projectId: onlyProject('request', id, projects) };
  }

  /** The request when it has ended, or as it is when the wait is over. @throws DomainError NOT_FOUND */
  ended(key: RequestKey, waitMs: number, patience: Patience): Promise<AgentRequest> {
    const hasEnded = ({ status }: AgentRequest): boolean => status !== 'pending';
    return this.watch.until(key, waitMs, () => this.get(key), hasEnded, patience);
  }

  /** One page, newest first; it may be short, and even empty, where the filters leave little of many rows. */
  async list(filter: RequestFilter, limit: number, cursor: string | undefined): Promise<Page<RequestView>> {
    const after = decodeCursor(cursor);
    const rows = await this.query<AgentRequest>(listRequests(filter, after, limit + 1));
    const page = pageOf(rows, limit, pageKeyOf, requestView);
    if (page.next_cursor !== null) return page;
    const [end] = await this.query<ListedRow>(endOfLook(filter, after));
    return end === undefined ? page : { ...page, next_cursor: encodeCursor(pageKeyOf(end)) };
  }

  private async get(key: RequestKey): Promise<AgentRequest> {
    const request = await this.found.get(key);
    if (request === undefined) throw notFound('request', key.id);
    return request;
  }

  private async findAll(keys: readonly RequestKey[]): Promise<ReadonlyMap<string, AgentRequest>> {
    const rows = await this.query<AgentRequest>(findRequests(keys));
    return new Map(rows.map((row) => [rowKey(row.project_id, row.id), row]));
  }

  private query<R>({ values, ...sql }: Statement): Promise<R[]> {
    return this.database.query<R>(sql, values);
  }
}

const nameOf = ({ id, projectId }: RequestKey): string => rowKey(projectId, id);
