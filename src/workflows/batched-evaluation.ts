import { Injectable } from '@nestjs/common';
import type { Batch, BatchHandler, LockMode, Outcome } from '../platform/database/batch.js';
import type { Row, Statement } from '../platform/database/statement.js';
import type { DomainEvent } from '../shared/domain-event.js';
import { rowKey } from '../shared/ids.js';
import {
  ENDS_IN_BATCH,
  type PlannedStageTask,
  type TaskKey,
  TaskWriter,
  type UnsettledTask,
  WorkflowTasks,
} from '../tasks/index.js';
import type { Step } from './domain/workflow.machine.js';
import {
  type BatchedStage,
  type BatchedWorkflow,
  lockWorkflows,
  STAGES_IN_BATCH,
  stagesOf,
} from './persistence/batch-rows.js';
import { type ChangedWorkflow, updateWorkflows, type WorkflowKey } from './persistence/workflow-rows.js';
import { taskOf } from './stage-inputs.js';
import { WorkflowChanges } from './workflow-changes.js';
import { decideNext, isBeginning, WorkflowRun } from './workflow-run.js';

/** The ended tasks that are settled: what follows is drawn. `too_much`: it needs an evaluation in a transaction of its own. */
export type Evaluated = { readonly settled: readonly TaskKey[] } | 'too_much';

/** A workflow as it was loaded, with its stages in their order and its tasks that ended. */
interface Loaded {
  readonly workflow: BatchedWorkflow;
  readonly stages: readonly BatchedStage[];
  readonly ended: readonly UnsettledTask[];
}

/** What is to become of a workflow. */
interface Draft {
  readonly written: ChangedWorkflow;
  readonly events: readonly DomainEvent[];
  readonly tasks: readonly PlannedStageTask[];
}

/**
 * The batch's way with workflows some of whose tasks ended: lock them, their ended tasks and read their stages, decide
 * each, write all. It does what most workflows need most of the time: ends are taken in, the next stages begin, the
 * workflow ends. What is large, or needs the locks of more rows (a cancel, an undoing), is left to {@link WorkflowSteps}.
 */
@Injectable()
export class BatchedEvaluation implements BatchHandler<WorkflowKey, Evaluated> {
  readonly name = 'workflows';
  readonly order = 10;

  constructor(
    private readonly writer: TaskWriter,
    private readonly tasks: WorkflowTasks,
  ) {}

  load(keys: readonly WorkflowKey[], mode: LockMode): Statement[] {
    return [lockWorkflows(keys, mode), this.tasks.lockUnsettled(keys, mode), stagesOf(keys)];
  }

  decide(
    keys: readonly WorkflowKey[],
    loaded: readonly (readonly Row[])[],
    batch: Batch,
  ): Outcome<Evaluated>[] {
    // The rows' shapes are the statements' above.
    const [workflows, ended, stages] = loaded as unknown as [
      BatchedWorkflow[],
      UnsettledTask[],
      BatchedStage[],
    ];
    const byKey = new Map(workflows.map((workflow) => [rowKey(workflow.project_id, workflow.id), workflow]));
    const endedOf = grouped(ended, (task) => rowKey(task.project_id, task.parent_workflow_id));
    const stagesOfEach = grouped(stages, (stage) => rowKey(stage.project_id, stage.workflow_id));
    const drafts: Draft[] = [];
    const settled: UnsettledTask[] = [];
    const outcomes = keys.map((key): Outcome<Evaluated> => {
      const name = rowKey(key.projectId, key.id);
      const workflow = byKey.get(name);
      if (workflow === undefined) return batch.mode === 'skip' ? { busy: true } : { done: 'too_much' };
      const ofIt = endedOf.get(name) ?? [];
      const draft = this.draft({ workflow, stages: stagesOfEach.get(name) ?? [], ended: ofIt }, batch.now);
      if (draft === undefined) return { done: 'too_much' };
      drafts.push(draft);
      settled.push(...ofIt);
      return { done: { settled: ofIt.map(({ id, project_id: projectId }) => ({ id, projectId })) } };
    });
    this.write(drafts, settled, batch);
    return outcomes;
  }

  private write(drafts: readonly Draft[], settled: readonly UnsettledTask[], batch: Batch): void {
    for (const event of drafts.flatMap(({ events }) => events)) batch.record(event);
    for (const statement of updateWorkflows(drafts.map(({ written }) => written))) batch.write(statement);
    this.writer.insert(
      batch,
      drafts.flatMap(({ tasks }) => tasks),
    );
    this.tasks.settle(batch, settled);
  }

  /** @returns undefined when that is too much for a batch */
  private draft({ workflow: row, stages, ended }: Loaded, now: string): Draft | undefined {
    const { input_data: inputData, is_due: isDue, is_large: isLarge, ...workflow } = row;
    const isMuch =
      stages.length > STAGES_IN_BATCH || ended.length > ENDS_IN_BATCH || isDue === true || isLarge;
    if (isMuch || stages.some((stage) => stage.is_large)) return undefined;
    if (ended.some((task) => task.is_large || task.awaited)) return undefined;

    const events: DomainEvent[] = [];
    const changes = new WorkflowChanges({ now, record: (event) => events.push(event) }, workflow, stages);
    const run = new WorkflowRun(changes);
    run.hear({ tasks: ended, more: false });
    const byName = new Map(stages.map((stage) => [stage.name, stage]));
    const outputOf = (name: string): unknown =>
      changes.given.has(name) ? changes.given.get(name) : (byName.get(name)?.output ?? null);
    for (let steps = run.next(decideNext); steps.length > 0; steps = run.next(decideNext)) {
      if (!steps.every(isPlain)) return undefined;
      const rest = run.takeEnds(steps);
      const begun = rest.filter(isBeginning).map(({ command, stage }) => {
        const definition = byName.get(stage)?.definition;
        return [stage, taskOf(changes.workflow, command, { definition, inputData, outputOf })] as const;
      });
      run.take(rest, new Map(begun));
    }
    const tasks = this.writer.planNow(changes.started);
    return tasks && { written: changes.written(false), events, tasks };
  }
}

/** It touches no task that has not ended, and leads to nothing that does. */
function isPlain(step: Step): boolean {
  if (step.command === 'move') return step.by === 'complete' || step.by === 'fail';
  return ['complete', 'fail', 'skip', 'start'].includes(step.command);
}

function grouped<R>(rows: readonly R[], nameOf: (row: R) => string): Map<string, R[]> {
  const groups = new Map<string, R[]>();
  for (const row of rows) {
    const group = groups.get(nameOf(row));
    if (group === undefined) groups.set(nameOf(row), [row]);
    else group.push(row);
  }
  return groups;
}
