import type { StageNode } from './workflow.graph.js';

export const WORKFLOW_STATUSES = [
  'pending',
  'running',
  'paused',
  'compensating',
  'completed',
  'failed',
  'cancelled',
] as const;
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
 * `continue_on_error`: only what depends on it, however far, is skipped.
 */
export const FAILURE_STRATEGIES = ['stop_on_error', 'continue_on_error'] as const;
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

/** A stage as a decision sees it. */
export interface Stage extends StageNode {
  readonly status: StageStatus;
  readonly task_id: string | null;
}

/** The task of a stage as a decision sees it. */
export interface StageTask {
  readonly id: string;
  readonly status: string;
  readonly error: WorkflowError | null;
}
