import type { NewStageTask } from '../tasks/index.js';
import { newId } from '../platform/new-id.js';
import type { WorkflowError } from './domain/workflow.js';
import type { StageDefinition, StageState, WorkflowState } from './persistence/workflow-rows.js';
import { compensationTask, stageTask } from './stage-task.js';

/** A task's input is as large as a request's body may be, at most (CONTRACT §8). */
const INPUT_BYTES = 1024 * 1024;
/** Inputs of one transaction: 500 stages may be given 1 MiB each. */
const INPUT_BYTES_AT_ONCE = 8 * INPUT_BYTES;
/** Inputs of a workflow's first stages, which share a batch with what others want. */
const FIRST_INPUT_BYTES = 2 * INPUT_BYTES;

/** A stage that is to be started, or undone. */
export interface Beginning {
  readonly command: 'start' | 'undo';
  readonly stage: string;
}

/** What stages became that began, by stage: a task, or an error for those whose input cannot be made. */
export type StageTasks = ReadonlyMap<string, NewStageTask | WorkflowError>;

/** Where inputs are gathered from. */
export interface StageSource {
  inputData(): Promise<unknown>;
  definitions(stages: readonly string[]): Promise<ReadonlyMap<string, StageDefinition>>;
  /** Bytes of what stages gave, roughly. */
  outputSizes(stages: readonly string[]): Promise<ReadonlyMap<string, number>>;
  outputs(stages: readonly string[]): Promise<ReadonlyMap<string, unknown>>;
}

/** What a stage is given comes from many others: it is gathered here, no more of it at once than a process can hold. */
export class StageInputs {
  private bytes = 0;

  constructor(private readonly source: StageSource) {}

  /**
   * The tasks of stages that begin, by stage; an error for those whose input is too large. Those that are missing have to
   * wait for another transaction.
   */
  async tasksOf(
    workflow: WorkflowState,
    beginnings: readonly Beginning[],
    stages: readonly StageState[],
  ): Promise<StageTasks> {
    const tasks = new Map<string, NewStageTask | WorkflowError>();
    if (beginnings.length === 0) return tasks;
    const states = new Map(stages.map((stage) => [stage.name, stage]));
    const needs = ({ command, stage }: Beginning): readonly string[] =>
      command === 'undo' ? [stage] : (states.get(stage)?.dependencies ?? []);
    const inputData = await this.source.inputData();
    const definitions = await this.source.definitions(beginnings.map(({ stage }) => stage));
    const sizes = await this.source.outputSizes([...new Set(beginnings.flatMap(needs))]);

    const own = sizeOf(inputData);
    const chosen = beginnings.filter((one) => {
      const gathered = needs(one).reduce((sum, name) => sum + (sizes.get(name) ?? 0), own);
      // Roughly measured: what is near the limit is gathered, and measured exactly.
      if (gathered > 2 * INPUT_BYTES) tasks.set(one.stage, tooLarge(one.stage, gathered));
      else if (this.bytes === 0 || this.bytes + gathered <= INPUT_BYTES_AT_ONCE) {
        this.bytes += gathered;
        return true;
      }
      return false;
    });
    const outputs = await this.source.outputs([...new Set(chosen.flatMap(needs))]);
    const outputOf = (name: string): unknown => outputs.get(name) ?? null;
    for (const { command, stage } of chosen) {
      tasks.set(
        stage,
        taskOf(workflow, command, { definition: definitions.get(stage), inputData, outputOf }),
      );
    }
    return tasks;
  }
}

/** The tasks of stages that begin with their workflow: they depend on none. Those that are missing have to wait. */
export function firstTasks(
  workflow: WorkflowState,
  beginnings: readonly Beginning[],
  posted: { readonly inputData: unknown; readonly definitions: ReadonlyMap<string, StageDefinition> },
): StageTasks {
  const most = Math.max(1, Math.floor(FIRST_INPUT_BYTES / sizeOf(posted.inputData)));
  const tasks = beginnings.slice(0, most).map(({ command, stage }) => {
    const definition = posted.definitions.get(stage);
    const from = { definition, inputData: posted.inputData, outputOf: () => null };
    return [stage, taskOf(workflow, command, from)] as const;
  });
  return new Map(tasks);
}

/** The task that a stage becomes, or that undoes it; an error when what it is given is too large. */
export function taskOf(
  workflow: WorkflowState,
  command: Beginning['command'],
  from: {
    readonly definition: StageDefinition | undefined | null;
    readonly inputData: unknown;
    readonly outputOf: (stage: string) => unknown;
  },
): NewStageTask | WorkflowError {
  const { definition, inputData, outputOf } = from;
  if (definition === undefined || definition === null)
    throw new Error(`a stage of workflow '${workflow.id}' has no definition`);
  const make = command === 'undo' ? compensationTask : stageTask;
  const task = make(workflow, { taskId: newId(), definition, inputData, outputOf });
  const bytes = sizeOf(task.inputData);
  return bytes > INPUT_BYTES ? tooLarge(definition.name, bytes) : task;
}

export function sizeOf(json: unknown): number {
  return Buffer.byteLength(JSON.stringify(json ?? null));
}

function tooLarge(stage: string, bytes: number): WorkflowError {
  return {
    code: 'INPUT_TOO_LARGE',
    message: `The input gathered for stage '${stage}' has ${bytes} bytes, and ${INPUT_BYTES} are allowed; let its dependencies give references to large results.`,
    details: { bytes, limit: INPUT_BYTES },
  };
}
