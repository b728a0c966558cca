import { Injectable } from '@nestjs/common';
import { bodyHash } from '../platform/body-hash.js';
import { Transactor } from '../platform/database/transactor.js';
import { newId } from '../platform/new-id.js';
import { DomainError } from '../shared/domain-error.js';
import { TaskTemplates, type TemplatedInput } from '../tasks/index.js';
import { assertRunnable } from './domain/workflow.graph.js';
import { decideCancel, decidePause, decideResume, decideRetry } from './domain/workflow.machine.js';
import type { WorkflowConfiguration } from './domain/workflow.js';
import { FIND_WORKFLOW, type WholeWorkflow } from './persistence/workflow-reads.js';
import type { StageDefinition, StageState, WorkflowKey, WorkflowRow } from './persistence/workflow-rows.js';
import { WorkflowEvaluation } from './workflow-evaluation.js';
import { WorkflowReads } from './workflow-reads.service.js';
import type { Decide } from './workflow-run.js';
import { WorkflowSteps } from './workflow-steps.js';

/** A workflow as it was posted. */
export interface PostedWorkflow {
  readonly id?: string;
  readonly name: string;
  readonly stages: readonly StageDefinition[];
  readonly configuration: WorkflowConfiguration;
  /** Seconds. */
  readonly timeout?: number;
  readonly input_data?: unknown;
  readonly correlation_id?: string;
  readonly metadata?: unknown;
}

/** Changes of workflows on request, each in a transaction of its own. Each throws NOT_FOUND, or INVALID_TRANSITION. */
@Injectable()
export class WorkflowsService {
  constructor(
    private readonly transactor: Transactor,
    private readonly evaluation: WorkflowEvaluation,
    private readonly steps: WorkflowSteps,
    private readonly reads: WorkflowReads,
    private readonly templates: TaskTemplates,
  ) {}

  /**
   * Creates and starts a workflow. An id that the client chose is an idempotency key.
   * @returns created: false with the stored workflow, when the same body was posted under this id before
   * @throws DomainError VALIDATION_FAILED for stages that cannot run; INVALID_TEMPLATE; CONFLICT when the id is taken by another body
   */
  async create(
    projectId: string,
    posted: PostedWorkflow,
  ): Promise<{ readonly workflow: WholeWorkflow; readonly created: boolean }> {
    assertRunnable(posted.stages);
    const id = posted.id ?? newId();
    const hash = bodyHash(posted);
    const inputs = posted.stages.map(({ input }) => input);
    const templated = await this.templates.applyAll(projectId, inputs, (n) => `/stages/${n}/input`);
    return this.transactor.run(async (tx) => {
      if (posted.id !== undefined) {
        const [stored] = await tx.query<WholeWorkflow>(FIND_WORKFLOW, [id, projectId]);
        if (stored !== undefined) return { workflow: sameBody(stored, hash), created: false };
      }
      const row = newRow({ id, projectId }, posted, hash, tx.now);
      const definitions = posted.stages.map((stage, n) => withTemplate(stage, templated[n]));
      const begun = await this.steps.begin(tx, row, definitions.map(newStage), definitions);
      const stages = begun.stages.flatMap((stage, index) => {
        const definition = definitions[index];
        return definition === undefined ? [] : [{ ...stage, definition, output: null }];
      });
      return { workflow: { ...begun.workflow, stages }, created: true };
    });
  }

  /** Ends it, and with it all its tasks, those that are no stage's too. */
  cancel(key: WorkflowKey): Promise<WholeWorkflow> {
    const decide: Decide = (look) => decideCancel(look.workflow, look.stages, look.tasks);
    return this.change(key, decide, 'the workflow was cancelled');
  }

  /** Holds back what has not begun: nothing starts, no task of it can be claimed; what runs goes on. */
  pause(key: WorkflowKey): Promise<WholeWorkflow> {
    return this.change(key, (look) => decidePause(look.workflow, look.stages, look.tasks));
  }

  /** Draws what followed from the ends of tasks meanwhile, which may end it at once. */
  resume(key: WorkflowKey): Promise<WholeWorkflow> {
    return this.change(key, (look) => decideResume(look.workflow));
  }

  /** Runs it again from what did not complete. */
  retry(key: WorkflowKey): Promise<WholeWorkflow> {
    return this.change(key, (look) => decideRetry(look.workflow, look.stages));
  }

  private async change(key: WorkflowKey, decide: Decide, cancelFor?: string): Promise<WholeWorkflow> {
    await this.transactor.run((tx) => this.evaluation.change(tx, key, decide, cancelFor));
    return this.reads.get(key);
  }
}

/** A stage whose input may name a template, as a task's may. @throws DomainError INVALID_TEMPLATE */
function withTemplate(stage: StageDefinition, templated: TemplatedInput | undefined): StageDefinition {
  if (templated?.refusal !== undefined) throw templated.refusal;
  if (templated === undefined || templated.version === null) return stage;
  return {
    ...stage,
    input: { ...stage.input, ...templated.customized },
    template_version: templated.version,
  };
}

/** @throws DomainError CONFLICT when another body was posted under this id */
function sameBody(stored: WholeWorkflow, hash: string): WholeWorkflow {
  if (stored.body_hash === hash) return stored;
  throw new DomainError('CONFLICT', `Workflow '${stored.id}' exists with another body.`, {
    workflow_id: stored.id,
  });
}

function newRow(
  { id, projectId }: WorkflowKey,
  posted: PostedWorkflow,
  hash: string,
  now: string,
): WorkflowRow {
  const { timeout = null } = posted;
  return {
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
    timeout,
    deadline_at: timeout === null ? null : new Date(Date.parse(now) + timeout * 1000).toISOString(),
    check_at: null,
    run: 1,
    seq: 0,
    created_at: now,
    updated_at: now,
    ended_at: null,
  };
}

function newStage({ name, dependencies, compensation }: StageDefinition): StageState {
  return {
    name,
    dependencies,
    compensable: compensation !== undefined,
    status: 'pending',
    task_id: null,
    compensation_task_id: null,
    started_at: null,
    ended_at: null,
    error: null,
  };
}
