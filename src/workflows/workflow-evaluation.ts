import { Injectable } from '@nestjs/common';
import type { LockMode } from '../platform/database/batch.js';
import { Batcher } from '../platform/database/batcher.js';
import { Database } from '../platform/database/database.js';
import type { Statement } from '../platform/database/statement.js';
import type { Transaction } from '../platform/database/transactor.js';
import type { ParentWorkflows, TaskKey } from '../tasks/index.js';
import { notFound } from '../shared/domain-error.js';
import { BatchedEvaluation } from './batched-evaluation.js';
import { decideTimeout } from './domain/workflow.machine.js';
import { LOCATE_WORKFLOW } from './persistence/workflow-reads.js';
import {
  LOCK_WORKFLOW,
  lockShared,
  type WorkflowKey,
  type WorkflowState,
} from './persistence/workflow-rows.js';
import { type Decide, decideNext } from './workflow-run.js';
import { WorkflowSteps } from './workflow-steps.js';

/** What a workflow in a batch may weigh: about as much as its ends and stages are allowed, few of which are so large. */
const BATCHED_BYTES = 64 * 1024;

interface LockedRow extends WorkflowState {
  readonly is_overdue: boolean | null;
}

/** Looks at workflows and does what follows: stages become tasks, and the ends of tasks the ends of stages. */
@Injectable()
export class WorkflowEvaluation implements ParentWorkflows {
  constructor(
    private readonly database: Database,
    private readonly batcher: Batcher,
    private readonly batched: BatchedEvaluation,
    private readonly steps: WorkflowSteps,
  ) {}

  async projectsOf(workflowId: string): Promise<string[]> {
    const rows = await this.database.query<{ project_id: string }>(LOCATE_WORKFLOW, [workflowId]);
    return rows.map((row) => row.project_id);
  }

  lockShared(ids: readonly string[], projectIds: readonly string[], mode: LockMode): Statement {
    return lockShared(ids, projectIds, mode);
  }

  async evaluateInBatch(projectId: string, workflowId: string): Promise<readonly TaskKey[] | undefined> {
    const key = { id: workflowId, projectId };
    const evaluated = await this.batcher.submit(this.batched, key, BATCHED_BYTES, true);
    return evaluated === 'too_much' ? undefined : evaluated.settled;
  }

  async evaluate(tx: Transaction, projectId: string, workflowId: string): Promise<TaskKey[]> {
    const row = await this.lock(tx, { id: workflowId, projectId });
    if (row === undefined) return [];
    const { is_overdue: overdue, ...workflow } = row;
    if (overdue !== true) return this.steps.carryOut(tx, workflow, decideNext);
    return this.steps.carryOut(tx, workflow, (look) =>
      decideTimeout(look.workflow, look.stages, look.tasks, timeoutOf(workflow)),
    );
  }

  /**
   * Changes a workflow on request, and does what follows.
   * @param cancelFor cancels all its tasks, those that are no stage's too, for this reason
   * @throws DomainError NOT_FOUND; what `first` throws
   */
  async change(tx: Transaction, key: WorkflowKey, first: Decide, cancelFor?: string): Promise<void> {
    const row = await this.lock(tx, key);
    if (row === undefined) throw notFound('workflow', key.id);
    const { is_overdue: _overdue, ...workflow } = row;
    await this.steps.carryOut(tx, workflow, first, cancelFor);
  }

  private async lock(tx: Transaction, { id, projectId }: WorkflowKey): Promise<LockedRow | undefined> {
    const [workflow] = await tx.query<LockedRow>(LOCK_WORKFLOW, [id, projectId]);
    return workflow;
  }
}

function timeoutOf({ timeout, deadline_at: deadline }: WorkflowState) {
  const message = `The workflow did not end within ${timeout} s.`;
  return { code: 'WORKFLOW_TIMEOUT', message, details: { deadline_at: deadline } };
}
