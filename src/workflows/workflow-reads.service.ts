import { Injectable } from '@nestjs/common';
import { EndWatch } from '../events/index.js';
import { Database } from '../platform/database/database.js';
import { decodeCursor, type Page, pageKeyOf, pageOf } from '../platform/http/page.js';
import type { Patience } from '../platform/http/patience.js';
import { notFound } from '../shared/domain-error.js';
import { ANY_PROJECT } from '../shared/ids.js';
import { onlyProject } from '../shared/only-project.js';
import { hasEnded } from './domain/result.js';
import {
  FIND_WORKFLOW,
  listWorkflows,
  LOCATE_WORKFLOW,
  type ListedWorkflow,
  type WorkflowFilter,
  type WholeWorkflow,
} from './persistence/workflow-reads.js';
import type { WorkflowKey } from './persistence/workflow-rows.js';

/** Everything that only looks at workflows. */
@Injectable()
export class WorkflowReads {
  constructor(
    private readonly database: Database,
    private readonly watch: EndWatch,
  ) {}

  /**
   * Where an id is: in the caller's project, or, for a `*` token, wherever there is one.
   * @throws DomainError NOT_FOUND, or CONFLICT listing the projects when the id is in several
   */
  async locate(projectId: string, id: string): Promise<WorkflowKey> {
    if (projectId !== ANY_PROJECT) return { id, projectId };
    const found = await this.database.query<{ project_id: string }>(LOCATE_WORKFLOW, [id]);
    return {
      id,
      projectId: onlyProject(
        'workflow',
        id,
        found.map((row) => row.project_id),
      ),
    };
  }

  async get(key: WorkflowKey): Promise<WholeWorkflow> {
    const [workflow] = await this.database.query<WholeWorkflow>(FIND_WORKFLOW, [key.id, key.projectId]);
    if (workflow === undefined) throw notFound('workflow', key.id);
    return workflow;
  }

  /** The workflow when it has ended, or as it is when the wait is over. */
  ended(key: WorkflowKey, waitMs: number, patience: Patience): Promise<WholeWorkflow> {
    return this.watch.until(key, waitMs, () => this.get(key), hasEnded, patience);
  }

  /** One page, newest first. @throws DomainError VALIDATION_FAILED for a cursor that was not made here */
  async list<T>(
    projectId: string,
    { cursor, limit, ...filter }: WorkflowFilter & { readonly cursor?: string; readonly limit: number },
    show: (workflow: WholeWorkflow) => T,
  ): Promise<Page<T>> {
    const project = projectId === ANY_PROJECT ? null : projectId;
    const { values, ...sql } = listWorkflows(project, filter, decodeCursor(cursor), limit + 1);
    const rows = await this.database.query<ListedWorkflow>(sql, values);
    const isCut = rows.length <= limit && (rows[0]?.found ?? 0) > rows.length;
    return pageOf(rows, limit, pageKeyOf, show, isCut);
  }
}
