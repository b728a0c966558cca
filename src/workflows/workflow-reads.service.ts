import { Injectable } from '@nestjs/common';
import { EndWatch } from '../events/index.js';
import { Database } from '../platform/database/database.js';
import { decodeCursor } from '../platform/http/page.js';
import type { Patience } from '../platform/http/patience.js';
import { notFound } from '../shared/domain-error.js';
import { ANY_PROJECT } from '../shared/ids.js';
import { onlyProject } from '../shared/only-project.js';
import { hasEnded } from './domain/result.js';
import {
  FIND_WORKFLOW,
  LIST_WORKFLOWS,
  LOCATE_WORKFLOW,
  type WholeWorkflow,
} from './persistence/workflow-reads.js';
import type { WorkflowKey } from './persistence/workflow-rows.js';

interface WorkflowFilter {
  readonly status?: string;
  readonly correlation_id?: string;
  readonly created_after?: string;
  readonly created_before?: string;
  readonly cursor?: string;
  readonly limit: number;
}

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

  /** Rows of one page and one more, newest first. */
  list(projectId: string, filter: WorkflowFilter): Promise<WholeWorkflow[]> {
    const from = decodeCursor(filter.cursor);
    return this.database.query<WholeWorkflow>(LIST_WORKFLOWS, [
      projectId === ANY_PROJECT ? null : projectId,
      filter.status,
      filter.correlation_id,
      filter.created_after,
      filter.created_before,
      from?.createdAt,
      from?.id,
      filter.limit + 1,
    ]);
  }
}
