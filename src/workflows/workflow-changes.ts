import type { Transaction } from '../platform/database/transactor.js';
import { newId } from '../platform/new-id.js';
import type { NewStageTask } from '../tasks/index.js';
import type { WorkflowError } from './domain/workflow.js';
import {
  stageAfter,
  type StageStep,
  type Step,
  type WorkflowCommand,
  workflowAfter,
} from './domain/workflow.machine.js';
import {
  type ChangedStage,
  insertStages,
  insertWorkflow,
  type StageRow,
  updateStages,
  updateWorkflow,
  type WorkflowRow,
} from './persistence/workflow-rows.js';
import { stageTask } from './stage-task.js';
import { workflowEvent } from './workflow-events.js';

const END_EVENTS = {
  complete: 'workflow.completed',
  fail: 'workflow.failed',
  cancel: 'workflow.cancelled',
} as const satisfies Record<WorkflowCommand, string>;

/** What a transaction takes. */
type Recorder = Pick<Transaction, 'now' | 'write' | 'record'>;

/** A workflow whose row is locked, or new, in one transaction: takes steps, records their events, and is written once. */
export class WorkflowChanges {
  /** Tasks that stages became. */
  readonly started: NewStageTask[] = [];
  /** A transaction may have begun before the one that changed the workflow last: time does not go back for it. */
  private readonly now: string;
  private readonly rows: Map<string, ChangedStage>;
  private readonly changed = new Set<string>();

  /** @param outputs what the workflow's tasks gave, by task id */
  constructor(
    private readonly into: Recorder,
    private current: WorkflowRow,
    stages: readonly StageRow[],
    private readonly outputs: ReadonlyMap<string, unknown>,
  ) {
    this.now = into.now > current.updated_at ? into.now : current.updated_at;
    this.rows = new Map(stages.map((stage) => [stage.name, stage]));
    if (current.seq === 0) this.record('workflow.started');
  }

  get workflow(): WorkflowRow {
    return this.current;
  }

  /** In the order in which they were listed. */
  get stages(): readonly ChangedStage[] {
    return [...this.rows.values()];
  }

  take(step: Step): void {
    if (step.command === 'end') this.end(step.by);
    else this.move(step);
  }

  insert(): void {
    const { id, project_id: projectId } = this.current;
    this.into.write(insertWorkflow(this.current));
    this.into.write(insertStages({ id, projectId }, this.stages));
  }

  update(): void {
    if (this.changed.size === 0) return;
    const { id, project_id: projectId } = this.current;
    const stages = this.stages.filter(({ name }) => this.changed.has(name));
    this.into.write(updateWorkflow(this.current));
    this.into.write(updateStages({ id, projectId }, stages));
  }

  private move(step: StageStep): void {
    const { now } = this;
    const stage = this.stage(step.stage);
    switch (step.command) {
      case 'start': {
        const taskId = newId();
        const task = stageTask(this.current, stage.definition, taskId, (name) =>
          this.outputOf(this.stage(name)),
        );
        this.started.push(task);
        this.put(step, { task_id: taskId, started_at: now });
        return this.record('workflow.stage_started', { stage: stage.name, task_id: taskId });
      }
      case 'complete': {
        const output = this.outputOf(stage);
        this.put(step, { output, ended_at: now });
        return this.record('workflow.stage_completed', { stage: stage.name, task_id: stage.task_id, output });
      }
      case 'fail': {
        const { error } = step;
        this.put(step, { error, ended_at: now });
        return this.record('workflow.stage_failed', { stage: stage.name, task_id: stage.task_id, error });
      }
      case 'skip': {
        this.put(step, { ended_at: now });
        return this.record('workflow.stage_skipped', { stage: stage.name, details: { reason: step.reason } });
      }
      case 'cancel':
        // Its task has an event of its own, and the workflow's last one names it.
        return this.put(step, { ended_at: now });
    }
  }

  private end(by: WorkflowCommand): void {
    const error = by === 'fail' ? this.failure() : null;
    this.current = {
      ...this.current,
      status: workflowAfter(by, this.current.status),
      error,
      ended_at: this.now,
    };
    const cancelled = this.stages.filter(({ status }) => status === 'cancelled').map(({ name }) => name);
    this.record(END_EVENTS[by], {
      ...(error === null ? {} : { error }),
      ...(cancelled.length === 0 ? {} : { details: { cancelled_stages: cancelled } }),
    });
  }

  private failure(): WorkflowError {
    const failed = this.stages.filter((stage) => stage.status === 'failed');
    const [first] = failed;
    return {
      code: 'WORKFLOW_FAILED',
      message: failed.length === 1 ? `Stage '${first?.name}' failed.` : `${failed.length} stages failed.`,
      details: { stages: failed.map(({ name, task_id, error }) => ({ stage: name, task_id, error })) },
    };
  }

  private put(step: StageStep, changes: Partial<ChangedStage>): void {
    const stage = this.stage(step.stage);
    this.rows.set(stage.name, { ...stage, ...changes, status: stageAfter(step.command, stage.status) });
    this.changed.add(stage.name);
  }

  private record(type: string, facts?: Readonly<Record<string, unknown>>): void {
    this.current = { ...this.current, seq: this.current.seq + 1, updated_at: this.now };
    this.into.record(workflowEvent(this.current, type, facts));
  }

  private stage(name: string): ChangedStage {
    const stage = this.rows.get(name);
    if (stage === undefined) throw new Error(`workflow '${this.current.id}' has no stage '${name}'`);
    return stage;
  }

  private outputOf(stage: StageRow): unknown {
    return this.outputs.get(stage.task_id ?? '') ?? null;
  }
}
