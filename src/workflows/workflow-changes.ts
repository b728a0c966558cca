import type { Transaction } from '../platform/database/transactor.js';
import type { EventTypesOf } from '../shared/event-types.js';
import type { NewStageTask } from '../tasks/index.js';
import { stageAfter, type StageCommand, type StageStep } from './domain/look.js';
import { brief, type WorkflowError } from './domain/workflow.js';
import { type WorkflowCommand, workflowAfter, type WorkflowStep } from './domain/workflow.machine.js';
import {
  type ChangedStage,
  type ChangedWorkflow,
  type StageState,
  type WorkflowState,
} from './persistence/workflow-rows.js';
import { workflowEvent } from './workflow-events.js';

const EVENTS = {
  complete: 'workflow.completed',
  fail: 'workflow.failed',
  compensate: 'workflow.compensating',
  cancel: 'workflow.cancelled',
  pause: 'workflow.paused',
  resume: 'workflow.resumed',
  retry: 'workflow.retried',
} as const satisfies Record<WorkflowCommand, string>;

/** Stages whose errors a workflow's own error tells. */
const TOLD_STAGES = 50;

/** Steps that need nothing but themselves. */
export type PlainStep = Exclude<StageStep, { readonly command: 'start' | 'undo' }>;

/** A workflow whose row is locked, or new, in one transaction: takes steps, records their events, and is written once. */
export class WorkflowChanges {
  /** What stages gave that completed in this transaction, by stage. */
  readonly given = new Map<string, unknown>();
  /** Tasks that stages became, or that undo them. */
  readonly started: NewStageTask[] = [];
  /** A transaction may have begun before the one that changed the workflow last: time does not go back for it. */
  private readonly now: string;
  private readonly rows: Map<string, ChangedStage>;
  private readonly changed = new Set<string>();
  private readonly before: WorkflowState;

  constructor(
    private readonly into: Pick<Transaction, 'now' | 'record'>,
    private current: WorkflowState,
    stages: readonly StageState[],
  ) {
    this.before = current;
    this.now = into.now > current.updated_at ? into.now : current.updated_at;
    this.rows = new Map(stages.map((stage) => [stage.name, stage]));
    if (current.seq === 0) this.record('workflow.started');
  }

  get workflow(): WorkflowState {
    return this.current;
  }

  /** In the order in which they were listed. */
  get stages(): readonly ChangedStage[] {
    return [...this.rows.values()];
  }

  taskOf(stage: string): string | null {
    return this.stage(stage).task_id;
  }

  /** A stage gets its task, or the task that undoes it. */
  begin(command: 'start' | 'undo', name: string, task: NewStageTask): void {
    this.started.push(task);
    if (command === 'undo') return this.put(command, name, { compensation_task_id: task.id });
    this.put(command, name, { task_id: task.id, started_at: this.now });
    this.record('workflow.stage_started', { stage: name, task_id: task.id });
  }

  /** @param output what a completed stage gave */
  take(step: PlainStep, output: unknown = null): void {
    const { now } = this;
    const stage = this.stage(step.stage);
    switch (step.command) {
      case 'complete': {
        this.given.set(stage.name, output);
        this.put(step.command, stage.name, { output, ended_at: now });
        return this.record('workflow.stage_completed', { stage: stage.name, task_id: stage.task_id, output });
      }
      case 'fail': {
        const { error } = step;
        this.put(step.command, stage.name, { error, ended_at: now });
        return this.record('workflow.stage_failed', { stage: stage.name, task_id: stage.task_id, error });
      }
      case 'skip': {
        this.put(step.command, stage.name, { ended_at: now });
        return this.record('workflow.stage_skipped', { stage: stage.name, details: { reason: step.reason } });
      }
      case 'cancel':
        // Its task has an event of its own, and the workflow's next one names it.
        return this.put(step.command, stage.name, { ended_at: now });
      case 'compensate': {
        this.put(step.command, stage.name, {});
        const taskId = stage.compensation_task_id;
        return this.record('workflow.stage_compensated', { stage: stage.name, task_id: taskId });
      }
      case 'give_up':
        // Its task has an event of its own, and the workflow's last one names it.
        return this.put(step.command, stage.name, { error: step.error });
      case 'reset':
        return this.put(step.command, stage.name, ANEW);
    }
  }

  move({ by, error }: WorkflowStep): void {
    const status = workflowAfter(by, this.current.status);
    const was = this.current;
    this.current = { ...was, status };
    switch (by) {
      case 'pause':
      case 'resume':
        return this.record(EVENTS[by]);
      case 'complete':
      case 'cancel':
        this.current = { ...this.current, ended_at: this.now };
        return this.record(EVENTS[by], this.cancelled());
      case 'compensate':
        // A run of its own, since a stage has one task per run.
        this.current = { ...this.current, error: error ?? this.failure(), run: was.run + 1 };
        return this.record(EVENTS[by], { error: this.current.error, ...this.cancelled() });
      case 'fail': {
        const why = was.status === 'compensating' ? this.undone(was.error) : (error ?? this.failure());
        this.current = { ...this.current, error: why, ended_at: this.now };
        return this.record(EVENTS[by], { error: why, ...this.cancelled() });
      }
      case 'retry':
        return this.retry();
    }
  }

  /**
   * The workflow as it is to be written.
   * @param more it has to be looked at again, although nothing will happen to its tasks
   */
  row(more: boolean): WorkflowState {
    return { ...this.current, check_at: this.checkAt(more) };
  }

  /**
   * What is to be written of a workflow that was there before.
   * @returns isMoved: the moment when somebody has to look at it changed
   */
  written(more: boolean): ChangedWorkflow & { readonly isMoved: boolean } {
    const row = this.row(more);
    const isMoved = row.check_at !== this.before.check_at;
    return {
      key: { id: row.id, projectId: row.project_id },
      row: this.current !== this.before || isMoved ? row : undefined,
      stages: this.stages.filter(({ name }) => this.changed.has(name)),
      isMoved,
    };
  }

  /** Starts anew: with all its time, and with nothing undone of what stays completed. */
  private retry(): void {
    const { timeout, run } = this.current;
    const stages = this.stages.filter(({ status }) => status === 'pending').map(({ name }) => name);
    for (const { name, status, compensation_task_id: undoing } of this.stages) {
      if (status !== 'completed' || undoing === null) continue;
      this.rows.set(name, { ...this.stage(name), compensation_task_id: null, error: null });
      this.changed.add(name);
    }
    const deadline = timeout === null ? null : new Date(Date.parse(this.now) + timeout * 1000).toISOString();
    this.current = { ...this.current, error: null, ended_at: null, run: run + 1, deadline_at: deadline };
    this.record(EVENTS.retry, { details: { stages } });
  }

  private checkAt(more: boolean): string | null {
    if (more) return this.now;
    const { status, deadline_at: deadline } = this.current;
    return status === 'running' || status === 'paused' ? deadline : null;
  }

  private cancelled(): Readonly<Record<string, unknown>> {
    const cancelled = this.stages.filter(({ status }) => status === 'cancelled').map(({ name }) => name);
    return cancelled.length === 0 ? {} : { details: { cancelled_stages: cancelled } };
  }

  private failure(): WorkflowError {
    const failed = this.stages.filter((stage) => stage.status === 'failed');
    const [first] = failed;
    return {
      code: 'WORKFLOW_FAILED',
      message: failed.length === 1 ? `Stage '${first?.name}' failed.` : `${failed.length} stages failed.`,
      details: { stages: told(failed, ({ task_id }) => task_id), stage_count: failed.length },
    };
  }

  /** Why it failed in the first place, and what could not be undone. */
  private undone(why: WorkflowError | null): WorkflowError {
    const failure = why ?? this.failure();
    const left = this.stages.filter(({ status, error }) => status === 'completed' && error !== null);
    if (left.length === 0) return failure;
    return {
      ...failure,
      message: `${failure.message} ${left.length === 1 ? `Stage '${left[0]?.name}'` : `${left.length} stages`} could not be undone.`,
      details: {
        ...failure.details,
        not_compensated: told(left, ({ compensation_task_id: taskId }) => taskId),
        not_compensated_count: left.length,
      },
    };
  }

  private put(command: StageCommand, name: string, changes: Partial<ChangedStage>): void {
    const stage = this.stage(name);
    this.rows.set(name, { ...stage, ...changes, status: stageAfter(command, stage.status) });
    this.changed.add(name);
  }

  private record(type: EventTypesOf<'workflow'>, facts?: Readonly<Record<string, unknown>>): void {
    this.current = { ...this.current, seq: this.current.seq + 1, updated_at: this.now };
    this.into.record(workflowEvent(this.current, type, facts));
  }

  private stage(name: string): ChangedStage {
    const stage = this.rows.get(name);
    if (stage === undefined) throw new Error(`workflow '${this.current.id}' has no stage '${name}'`);
    return stage;
  }
}

/** The first of these stages, and why each ended so. */
function told(stages: readonly ChangedStage[], taskOf: (stage: ChangedStage) => string | null): unknown[] {
  return stages.slice(0, TOLD_STAGES).map((stage) => ({
    stage: stage.name,
    task_id: taskOf(stage),
    error: stage.error && brief(stage.error),
  }));
}

/** A stage that is to run again. */
const ANEW = {
  task_id: null,
  compensation_task_id: null,
  started_at: null,
  ended_at: null,
  output: null,
  error: null,
} as const;
