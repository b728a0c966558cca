import type { WORKFLOW_STATUSES } from '../../shared/words.js';
import type { StageNode } from './workflow.graph.js';

export type WorkflowStatus = (typeof WORKFLOW_STATUSES)[number];

export const STAGE_STATUSES = [
  'pending',
  'running',
  'completed',
  'failed',
  'skipped',
  'cancelled',
  'compensated',
] as const;
export type StageStatus = (typeof STAGE_STATUSES)[number];

/**
 * What a failed stage does to the others. `stop_on_error`: running ones are cancelled, the rest is skipped, at once.
 * `continue_on_error`: only what depends on it, however far, is skipped. `compensate`: as `stop_on_error`; then completed
 * stages that name a `compensation` are undone, one at a time, in reverse order.
 */
export const FAILURE_STRATEGIES = ['stop_on_error', 'continue_on_error', 'compensate'] as const;
export type FailureStrategy = (typeof FAILURE_STRATEGIES)[number];

export interface WorkflowConfiguration {
  /** false: one stage at a time, in topological, then listed, order. */
  readonly parallel_execution: boolean;
  readonly failure_strategy: FailureStrategy;
}

export const DEFAULT_CONFIGURATION: WorkflowConfiguration = {
  parallel_execution: true,
  failure_strategy: 'stop_on_error',
};

/** Why a stage, or the workflow, ended badly. */
export interface WorkflowError {
  readonly code: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Characters of a stage's message where those of many stages are told together: 500 stages may fail. */
export const BRIEF_CHARACTERS = 1_000;

/** An error among those of other stages: the stage itself tells all. */
export function brief({ code, message }: WorkflowError): WorkflowError {
  // By characters: half of a pair could not be stored.
  return { code, message: Array.from(message).slice(0, BRIEF_CHARACTERS).join('') };
}

/** A stage as a decision sees it. */
export interface Stage extends StageNode {
  readonly status: StageStatus;
  readonly task_id: string | null;
  /** It names an agent type that undoes it. */
  readonly compensable: boolean;
  /** The task that undoes it, or did; null before. */
  readonly compensation_task_id: string | null;
  /** Why it failed; of a completed stage, why it could not be undone. */
  readonly error: WorkflowError | null;
}

/** The task of a stage, or the one that undoes it, as a decision sees it. */
export interface StageTask {
  readonly id: string;
  readonly status: string;
  readonly error: WorkflowError | null;
}
