import type { LockMode } from '../platform/database/batch.js';
import type { Statement } from '../platform/database/statement.js';
import type { Transaction } from '../platform/database/transactor.js';
import type { TaskKey } from './persistence/task-rows.js';

/** A workflow as a task that belongs to it needs to know it. */
export interface ParentWorkflow {
  readonly id: string;
  readonly project_id: string;
  readonly status: string;
  readonly correlation_id: string;
}

/** What tasks need of workflows, which stand to their right. Implemented there. */
export abstract class ParentWorkflows {
  /** Projects in which there is a workflow of this id; for tokens that see all projects. */
  abstract projectsOf(workflowId: string): Promise<string[]>;
  /** Share-locks the named workflows (ids and project ids pairwise), so that none ends while a task joins it. Rows: {@link ParentWorkflow}. */
  abstract lockShared(ids: readonly string[], projectIds: readonly string[], mode: LockMode): Statement;
  /**
   * Looks at a workflow some of whose tasks ended, in a batch with many others, which may be the one that ends them.
   * @returns the tasks that it settled; undefined when that takes a transaction of its own: see `evaluate`
   */
  abstract evaluateInBatch(projectId: string, workflowId: string): Promise<readonly TaskKey[] | undefined>;
  /**
   * Looks at a workflow some of whose tasks ended: locks it, reads the state anew, and starts, skips, cancels or undoes
   * stages, or ends the workflow. Level-triggered: calling it once too often changes nothing.
   * @returns the tasks that it ended itself: nothing more follows from their end
   */
  abstract evaluate(tx: Transaction, projectId: string, workflowId: string): Promise<TaskKey[]>;
}
