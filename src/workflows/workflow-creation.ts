import { Injectable } from '@nestjs/common';
import type { Batch, BatchHandler, Outcome } from '../platform/database/batch.js';
import { Batcher } from '../platform/database/batcher.js';
import type { Row, Statement } from '../platform/database/statement.js';
import type { DomainError } from '../shared/domain-error.js';
import { rowKey } from '../shared/ids.js';
import { type PlannedStageTask, TaskWriter } from '../tasks/index.js';
import type { WorkflowConfiguration } from './domain/workflow.js';
import type { WholeWorkflow } from './persistence/workflow-reads.js';
import {
  existingWorkflows,
  insertWorkflows,
  type NewWorkflow,
  type StageDefinition,
  type StageState,
  type WorkflowKey,
  type WorkflowRow,
} from './persistence/workflow-rows.js';
import { firstTasks, sizeOf } from './stage-inputs.js';
import { WorkflowChanges } from './workflow-changes.js';
import { decideNext, isBeginning, WorkflowRun } from './workflow-run.js';
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

/** A workflow that is to be created; its stages' templates are applied. */
export interface CreateWorkflow extends PostedWorkflow {
  readonly key: WorkflowKey;
  /** The client chose the id, so a workflow of that id may exist already. */
  readonly chosenId: boolean;
  readonly hash: string;
  /** Why a template refuses it. A workflow that is stored already is answered whatever its templates say now. */
  readonly refusal: DomainError | undefined;
}

interface MeasuredWorkflow extends CreateWorkflow {
  /** Of what was posted, as JSON. */
  readonly bytes: number;
}

/** The new workflow; null when one of this id exists. */
type Created = WholeWorkflow | null;

/** The batch's way with new workflows: each is inserted and started in one transaction: nobody sees it before its first stages have tasks. */
@Injectable()
export class WorkflowCreation implements BatchHandler<MeasuredWorkflow, Created> {
  readonly name = 'workflow-creation';
  readonly order = 11;
  readonly effects = { nameOf: () => 'create', isEffect: (created: Created) => created !== null };

  constructor(
    private readonly batcher: Batcher,
    private readonly writer: TaskWriter,
    private readonly steps: WorkflowSteps,
  ) {}

  async create(command: CreateWorkflow): Promise<Created> {
    const { key, stages, refusal, input_data: inputData, metadata } = command;
    if (refusal === undefined) await this.writer.prepareRoutes(stages.map((stage) => routed(key, stage)));
    const bytes = sizeOf(stages) + sizeOf(inputData) + sizeOf(metadata);
    return this.batcher.submit(this, { ...command, bytes }, bytes);
  }

  load(commands: readonly MeasuredWorkflow[]): Statement[] {
    const chosen = commands.filter(({ chosenId }) => chosenId).map(({ key }) => key);
    return chosen.length === 0 ? [] : [existingWorkflows(chosen)];
  }

  decide(
    commands: readonly MeasuredWorkflow[],
    [existing = []]: readonly (readonly Row[])[],
    batch: Batch,
  ): Outcome<Created>[] {
    const taken = new Set(existing.map((row) => rowKey(String(row['project_id']), String(row['id']))));
    const made: NewWorkflow[] = [];
    const tasks: PlannedStageTask[] = [];
    const outcomes = commands.map((command): Outcome<Created> => {
      const name = rowKey(command.key.projectId, command.key.id);
      if (taken.has(name)) return { done: null };
      if (command.refusal !== undefined) return { refused: command.refusal };
      taken.add(name);
      const workflow = this.begin(command, batch, tasks);
      made.push(workflow);
      const stages = workflow.stages.map((stage) => ({ ...stage, output: null, output_omitted: false }));
      return { done: { ...workflow.row, stages } };
    });
    for (const statement of insertWorkflows(made)) batch.write(statement);
    this.writer.insert(batch, tasks);
    return outcomes;
  }

  private begin(command: MeasuredWorkflow, batch: Batch, tasks: PlannedStageTask[]): NewWorkflow {
    const definitions = new Map(command.stages.map((stage) => [stage.name, stage]));
    const blank = newRow(command, batch.now);
    const changes = new WorkflowChanges(batch, blank, command.stages.map(newStage));
    const run = new WorkflowRun(changes);
    const posted = { inputData: blank.input_data, definitions };
    for (let steps = run.next(decideNext); steps.length > 0; steps = run.next(decideNext)) {
      const rest = run.takeEnds(steps);
      run.take(rest, firstTasks(changes.workflow, rest.filter(isBeginning), posted));
    }
    const planned = this.writer.planNow(changes.started);
    if (planned === undefined) throw new Error('a route that was made is not known');
    tasks.push(...planned);
    const row = { ...blank, ...changes.row(run.more) };
    this.steps.tellCheck(batch, row);
    const stages = changes.stages.flatMap((stage) => {
      const definition = definitions.get(stage.name);
      return definition === undefined ? [] : [{ ...stage, definition }];
    });
    return { row, stages };
  }
}

function routed(
  { projectId }: WorkflowKey,
  { agent_type: agentType, required_capabilities: requiredCapabilities }: StageDefinition,
): Parameters<TaskWriter['prepareRoutes']>[0][number] {
  return { projectId, agentType, ...(requiredCapabilities === undefined ? {} : { requiredCapabilities }) };
}

function newRow(posted: MeasuredWorkflow, now: string): WorkflowRow {
  const { id, projectId } = posted.key;
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
    body_hash: posted.hash,
    posted_bytes: posted.bytes,
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
