import { Injectable } from '@nestjs/common';
import { bodyHash } from '../platform/body-hash.js';
import { Transactor } from '../platform/database/transactor.js';
import { newId } from '../platform/new-id.js';
import { DomainError } from '../shared/domain-error.js';
import { assertRunnable } from './domain/workflow.graph.js';
import type { WorkflowConfiguration } from './domain/workflow.js';
import { FIND_WORKFLOW, type WholeWorkflow } from './persistence/workflow-reads.js';
import type { StageDefinition, StageRow, WorkflowKey, WorkflowRow } from './persistence/workflow-rows.js';
import { WorkflowEvaluation } from './workflow-evaluation.js';
import { WorkflowReads } from './workflow-reads.service.js';

/** A workflow as it was posted. */
export interface PostedWorkflow {
  readonly id?: string;
  readonly name: string;
  readonly stages: readonly StageDefinition[];
  readonly configuration: WorkflowConfiguration;
  readonly input_data?: unknown;
  readonly correlation_id?: string;
  readonly metadata?: unknown;
}

/** Changes of workflows on request, each in a transaction of its own. */
@Injectable()
export class WorkflowsService {
  constructor(
    private readonly transactor: Transactor,
    private readonly evaluation: WorkflowEvaluation,
    private readonly reads: WorkflowReads,
  ) {}

  /**
   * Creates and starts a workflow. An id that the client chose is an idempotency key.
   * @returns created: false with the stored workflow, when the same body was posted under this id before
   * @throws DomainError VALIDATION_FAILED for stages that cannot run; CONFLICT when the id is taken by another body
   */
  async create(
    projectId: string,
    posted: PostedWorkflow,
  ): Promise<{ readonly workflow: WholeWorkflow; readonly created: boolean }> {
    assertRunnable(posted.stages);
    const id = posted.id ?? newId();
    const hash = bodyHash(posted);
    return this.transactor.run(async (tx) => {
      if (posted.id !== undefined) {
        const [stored] = await tx.query<WholeWorkflow>(FIND_WORKFLOW, [id, projectId]);
        if (stored !== undefined) return { workflow: sameBody(stored, hash), created: false };
      }
      const { workflow, stages } = newRows({ id, projectId }, posted, hash, tx.now);
      const begun = await this.evaluation.begin(tx, workflow, stages);
      const shown = begun.stages.map((stage) => Object.assign({ output: null }, stage));
      return { workflow: { ...begun.workflow, stages: shown }, created: true };
    });
  }

  /** @throws DomainError NOT_FOUND; INVALID_TRANSITION when it has completed or failed */
  async cancel(key: WorkflowKey): Promise<WholeWorkflow> {
    await this.transactor.run((tx) => this.evaluation.cancel(tx, key));
    return this.reads.get(key);
  }
}

/** @throws DomainError CONFLICT when another body was posted under this id */
function sameBody(stored: WholeWorkflow, hash: string): WholeWorkflow {
  if (stored.body_hash === hash) return stored;
  throw new DomainError('CONFLICT', `Workflow '${stored.id}' exists with another body.`, {
    workflow_id: stored.id,
  });
}

function newRows(
  { id, projectId }: WorkflowKey,
  posted: PostedWorkflow,
  hash: string,
  now: string,
): { workflow: WorkflowRow; stages: StageRow[] } {
  const workflow: WorkflowRow = {
    id,
    project_id: projectId,
    name: posted.name,
    status: 'running',
    configuration: posted.configuration,
    input_data: posted.input_data ?? null,
    metadata: posted.metadata ?? null,
    error: null,
    correlation_id: posted.correlation_id ?? id,
    body_hash: hash,
    run: 1,
    seq: 0,
    created_at: now,
    updated_at: now,
    ended_at: null,
  };
  const stages = posted.stages.map((definition) => ({
    name: definition.name,
    definition,
    status: 'pending' as const,
    task_id: null,
    started_at: null,
    ended_at: null,
    error: null,
  }));
  return { workflow, stages };
}
