import { stageAfter, type StageStep } from './look.js';
import type { Stage, StageTask, WorkflowConfiguration, WorkflowStatus } from './workflow.js';
import {
  decide,
  decideCancel,
  decidePause,
  decideResume,
  decideRetry,
  decideTimeout,
  type Step,
  workflowAfter,
} from './workflow.machine.js';

/**
 * A workflow in memory: it carries out steps as the service does, and its agents end tasks as they are told. The rules are
 * tested on it, and the service is held against it.
 */
export class WorkflowInMemory {
  status: WorkflowStatus = 'running';
  /** Counts its runs: a stage has one task per run. */
  run = 1;
  /** The tasks that were made, in order: `stage#run`, or `undo stage#run`. */
  readonly made: string[] = [];
  readonly tasks = new Map<string, StageTask>();
  /** Why it failed, if a step said so. */
  why: string | undefined;
  stages: Stage[];

  /** @param compensable names of stages that can be undone */
  constructor(
    graph: Record<string, readonly string[]>,
    private readonly configuration: WorkflowConfiguration,
    compensable: readonly string[] = [],
  ) {
    this.stages = Object.entries(graph).map(([name, dependencies]) => ({
      name,
      dependencies,
      status: 'pending',
      task_id: null,
      compensable: compensable.includes(name),
      compensation_task_id: null,
      error: null,
    }));
  }

  look(): Step[] {
    return this.carryOut(() => decide(this.course, this.stages, [...this.tasks.values()]));
  }

  cancel(): Step[] {
    return this.carryOut(() => decideCancel(this.course, this.stages, [...this.tasks.values()]));
  }

  pause(): Step[] {
    return this.carryOut(() => decidePause(this.course, this.stages, [...this.tasks.values()]));
  }

  resume(): Step[] {
    return this.carryOut(() => decideResume(this.course));
  }

  retry(): Step[] {
    return this.carryOut(() => decideRetry(this.course, this.stages));
  }

  timeOut(): Step[] {
    const error = { code: 'WORKFLOW_TIMEOUT', message: '' };
    return this.carryOut(() => decideTimeout(this.course, this.stages, [...this.tasks.values()], error));
  }

  /** Ends the present task of a stage. */
  end(stage: string, status: string): this {
    return this.endTask(this.stages.find(({ name }) => name === stage)?.task_id ?? '', status);
  }

  /** Ends the task that undoes a stage. */
  endUndoing(stage: string, status: string): this {
    return this.endTask(this.stages.find(({ name }) => name === stage)?.compensation_task_id ?? '', status);
  }

  endTask(id: string, status: string): this {
    const error = status === 'failed' ? { code: 'BROKEN', message: id.replace(/#.*/, '') } : null;
    this.tasks.set(id, { id, status, error });
    return this;
  }

  /** The stages whose tasks were started, in order. */
  get started(): string[] {
    return this.made.filter((id) => !id.startsWith('undo ')).map((id) => id.replace(/#.*/, ''));
  }

  get running(): string[] {
    return this.stages.filter((stage) => stage.status === 'running').map((stage) => stage.name);
  }

  /** Tasks that have not ended. */
  get open(): string[] {
    return [...this.tasks.values()].filter(({ status }) => status === 'queued').map(({ id }) => id);
  }

  get statuses(): Record<string, string> {
    return Object.fromEntries(this.stages.map((stage) => [stage.name, stage.status]));
  }

  private get course() {
    return { status: this.status, configuration: this.configuration };
  }

  private carryOut(first: () => Step[]): Step[] {
    const taken: Step[] = [];
    for (let steps = first(); steps.length > 0;) {
      for (const step of steps) {
        if (step.command === 'move') this.move(step);
        else this.take(step);
      }
      taken.push(...steps);
      steps = decide(this.course, this.stages, [...this.tasks.values()]);
    }
    return taken;
  }

  private move({ by, error }: Extract<Step, { command: 'move' }>): void {
    this.status = workflowAfter(by, this.status);
    this.why = error?.code;
    if (by === 'retry' || by === 'compensate') this.run += 1;
    if (by === 'cancel') for (const id of this.open) this.endTask(id, 'cancelled');
    if (by === 'retry')
      this.change(({ status }) => status === 'completed', { compensation_task_id: null, error: null });
  }

  private take(step: StageStep): void {
    const is = ({ name }: Stage): boolean => name === step.stage;
    if (step.command === 'cancel') this.end(step.stage, 'cancelled');
    this.change(is, this.changes(step));
    const from = this.stages.find(is)?.status ?? 'pending';
    this.change(is, { status: stageAfter(step.command, from) });
  }

  private changes(step: StageStep): Partial<Stage> {
    const id = `${step.stage}#${this.run}`;
    switch (step.command) {
      case 'start':
        return { task_id: this.make(id) };
      case 'undo':
        return { compensation_task_id: this.make(`undo ${id}`) };
      case 'fail':
      case 'give_up':
        return { error: step.error };
      case 'reset':
        return { task_id: null, compensation_task_id: null, error: null };
      case 'complete':
      case 'compensate':
      case 'skip':
      case 'cancel':
        return {};
    }
  }

  private make(id: string): string {
    this.made.push(id);
    this.tasks.set(id, { id, status: 'queued', error: null });
    return id;
  }

  private change(which: (stage: Stage) => boolean, changes: Partial<Stage>): void {
    this.stages = this.stages.map((stage) => (which(stage) ? { ...stage, ...changes } : stage));
  }
}
