import { Injectable } from '@nestjs/common';
import { bodyHash } from '../platform/body-hash.js';
import { Transactor } from '../platform/database/transactor.js';
import { newId } from '../platform/new-id.js';
import { DomainError } from '../shared/domain-error.js';
import { TaskTemplates, type TemplatedInput } from '../tasks/index.js';
import { assertRunnable } from './domain/workflow.graph.js';
import { decideCancel, decidePause, decideResume, decideRetry } from './domain/workflow.machine.js';
import type { WholeWorkflow } from './persistence/workflow-reads.js';
import type { StageDefinition, WorkflowKey } from './persistence/workflow-rows.js';
import { type PostedWorkflow, WorkflowCreation } from './workflow-creation.js';
import { WorkflowEvaluation } from './workflow-evaluation.js';
import { WorkflowReads } from './workflow-reads.service.js';
import type { Decide } from './workflow-run.js';

/** Changes of workflows on request, each in a transaction of its own. Each throws NOT_FOUND, or INVALID_TRANSITION. */
@Injectable()
export class WorkflowsService {
  constructor(
    private readonly transactor: Transactor,
    private readonly evaluation: WorkflowEvaluation,
    private readonly creation: WorkflowCreation,
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
    const key = { id: posted.id ?? newId(), projectId };
    const inputs = posted.stages.map(({ input }) => input);
    const templated = await this.templates.applyAll(projectId, inputs, (n) => `/stages/${n}/input`);
    // Nobody can name a workflow before it has its id: who chose none is never compared.
    const hash = posted.id === undefined ? '' : bodyHash(posted);
    const created = await this.creation.create({
      ...posted,
      key,
      chosenId: posted.id !== undefined,
      hash,
      stages: posted.stages.map((stage, n) => withTemplate(stage, templated[n])),
      refusal: templated.find(({ refusal }) => refusal !== undefined)?.refusal,
    });
    if (created !== null) return { workflow: created, created: true };
    return { workflow: sameBody(await this.reads.get(key), hash), created: false };
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

/** A stage whose input may name a template, as a task's may. */
function withTemplate(stage: StageDefinition, templated: TemplatedInput | undefined): StageDefinition {
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
