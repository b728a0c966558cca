import { Injectable } from '@nestjs/common';
import type { LockMode } from '../platform/database/batch.js';
import { Database } from '../platform/database/database.js';
import type { Statement } from '../platform/database/statement.js';
import type { Transaction } from '../platform/database/transactor.js';
import { type ParentWorkflows, type Task, TaskWriter } from '../tasks/index.js';
import { notFound } from '../shared/domain-error.js';
import type { Stage } from './domain/workflow.js';
import { decide, decideCancel, type Step } from './domain/workflow.machine.js';
import { LOCATE_WORKFLOW } from './persistence/workflow-reads.js';
import {
  LOCK_WORKFLOW,
  lockShared,
  STAGES_OF_WORKFLOW,
  type StageRow,
  type WorkflowKey,
  type WorkflowRow,
} from './persistence/workflow-rows.js';
import { WorkflowChanges } from './workflow-changes.js';

/** A workflow with all that a decision about it needs. */
interface Look {
  readonly workflow: WorkflowRow;
  readonly stages: readonly StageRow[];
  readonly tasks: readonly Task[];
}

/** Looks at workflows and does what follows: stages become tasks, and the ends of tasks the ends of stages. */
@Injectable()
export class WorkflowEvaluation implements ParentWorkflows {
  constructor(
    private readonly database: Database,
    private readonly tasks: TaskWriter,
  ) {}

  async projectsOf(workflowId: string): Promise<string[]> {
    const rows = await this.database.query<{ project_id: string }>(LOCATE_WORKFLOW, [workflowId]);
    return rows.map((row) => row.project_id);
  }

  lockShared(ids: readonly string[], projectIds: readonly string[], mode: LockMode): Statement {
    return lockShared(ids, projectIds, mode);
  }

  async evaluate(tx: Transaction, projectId: string, workflowId: string): Promise<void> {
    const look = await this.lock(tx, { id: workflowId, projectId });
    if (look === undefined) return;
    const steps = decide(look.workflow, look.stages.map(toStage), look.tasks);
    const changes = changesOf(tx, look, steps);
    changes.update();
    await this.tasks.create(tx, changes.started);
    await this.cut(tx, look, steps);
  }

  /** Inserts a workflow and starts it, in one transaction: nobody sees it before its first stages have tasks. */
  async begin(tx: Transaction, workflow: WorkflowRow, stages: readonly StageRow[]): Promise<WorkflowChanges> {
    const steps = decide(workflow, stages.map(toStage), []);
    const changes = changesOf(tx, { workflow, stages, tasks: [] }, steps);
    changes.insert();
    await this.tasks.create(tx, changes.started);
    return changes;
  }

  /**
   * Ends a workflow on request, and with it all its tasks, those that are no stage's too. Repeating it changes nothing.
   * @throws DomainError NOT_FOUND; INVALID_TRANSITION when it has completed or failed
   */
  async cancel(tx: Transaction, key: WorkflowKey): Promise<void> {
    const look = await this.lock(tx, key);
    if (look === undefined) throw notFound('workflow', key.id);
    const steps = decideCancel(look.workflow, look.stages.map(toStage), look.tasks);
    changesOf(tx, look, steps).update();
    const taskIds = look.tasks.map((task) => task.id);
    await this.tasks.cancel(tx, key.projectId, taskIds, 'the workflow was cancelled');
  }

  /** Cancels the tasks of cancelled stages: they share one reason, as they are cancelled at once or never. */
  private async cut(tx: Transaction, { workflow, stages }: Look, steps: readonly Step[]): Promise<void> {
    const cancels = steps.filter((step) => step.command === 'cancel');
    const [first] = cancels;
    if (first === undefined) return;
    const names = new Set(cancels.map((step) => step.stage));
    const taskIds = stages.filter(({ name }) => names.has(name)).flatMap(({ task_id: id }) => id ?? []);
    await this.tasks.cancel(tx, workflow.project_id, taskIds, first.reason);
  }

  /** Locks in the house's order, row, then tasks. Each statement reads anew, so what it shows is of now. */
  private async lock(tx: Transaction, { id, projectId }: WorkflowKey): Promise<Look | undefined> {
    const [workflow] = await tx.query<WorkflowRow>(LOCK_WORKFLOW, [id, projectId]);
    if (workflow === undefined) return undefined;
    const tasks = await this.tasks.ofWorkflow(tx, projectId, id);
    return { workflow, tasks, stages: await tx.query<StageRow>(STAGES_OF_WORKFLOW, [id, projectId]) };
  }
}

function changesOf(
  tx: Transaction,
  { workflow, stages, tasks }: Look,
  steps: readonly Step[],
): WorkflowChanges {
  const outputs = new Map(tasks.map((task) => [task.id, task.output_data]));
  const changes = new WorkflowChanges(tx, workflow, stages, outputs);
  for (const step of steps) changes.take(step);
  return changes;
}

function toStage({ name, definition, status, task_id }: StageRow): Stage {
  return { name, dependencies: definition.dependencies, status, task_id };
}
