import type { BackoffPolicy } from '../../shared/backoff.js';
import type { EventTypesOf } from '../../shared/event-types.js';
import type { PRIORITIES, TASK_STATUSES } from '../../shared/words.js';

export type TaskStatus = (typeof TASK_STATUSES)[number];

export type Priority = (typeof PRIORITIES)[number];

/** Order of claims: the smaller the rank, the sooner. */
export const RANK: Readonly<Record<Priority, number>> = { critical: 0, high: 1, normal: 2, low: 3 };

export interface RetryPolicy extends BackoffPolicy {
  /** Attempts in all, the first included; 1..100, default 3. */
  readonly max_attempts: number;
  /** Error codes after which no attempt follows. */
  readonly non_retryable_errors: readonly string[];
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  max_attempts: 3,
  backoff_strategy: 'exponential',
  initial_delay: 1,
  max_delay: 300,
  jitter: 'full',
  non_retryable_errors: [],
};

/** Why an attempt, or the task, ended badly. */
export interface TaskError {
  readonly code: string;
  readonly message: string;
  /** false: no further attempt, whatever the policy says. */
  readonly retryable?: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
  /** The attempt that ended so; absent where no attempt did. */
  readonly attempt?: number;
}

/** A task as its row holds it; times are ISO 8601 strings of the database clock. */
export interface Task {
  readonly id: string;
  readonly project_id: string;
  readonly type: string;
  readonly agent_type: string;
  readonly status: TaskStatus;
  readonly priority: Priority;
  /** The agent that was asked for when it was posted; nobody else may take it. */
  readonly requested_agent: string | null;
  /** The present or last holder. */
  readonly assigned_agent: string | null;
  readonly agent_project: string | null;
  readonly session_epoch: number | null;
  readonly parent_workflow_id: string | null;
  readonly stage_name: string | null;
  readonly stage_run: number | null;
  readonly input_data: unknown;
  /** Of the template that `input_data` names: the version it was checked by. */
  readonly template_version: number | null;
  readonly dependencies: readonly string[];
  readonly required_capabilities: readonly string[];
  /** Seconds from claim to finish, per attempt. */
  readonly timeout: number;
  readonly retry_policy: RetryPolicy;
  readonly not_before: string | null;
  readonly fairness_key: string | null;
  readonly on_agent_unavailable: 'reject' | 'queue';
  readonly on_dependency_failure: 'fail' | 'run';
  readonly correlation_id: string;
  readonly metadata: unknown;
  readonly progress: number | null;
  /** Only ever grows: the fencing token. */
  readonly attempt: number;
  readonly attempts_forgiven: number;
  readonly output_data: unknown;
  readonly error: TaskError | null;
  readonly estimated_completion: string | null;
  readonly route: number;
  readonly rank: number;
  readonly vtime: number;
  readonly claimable: boolean;
  /** Its workflow is paused: it is not claimable, whatever else holds. */
  readonly paused: boolean;
  readonly available_at: string | null;
  readonly assigned_at: string | null;
  readonly lease_until: string | null;
  readonly deadline_at: string | null;
  readonly check_at: string | null;
  readonly settled: boolean;
  readonly awaited: boolean;
  readonly body_hash: string;
  readonly seq: number;
  readonly created_at: string;
  readonly updated_at: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
}

/** Something that happened to a task; the service makes an event of it. */
export interface Fact {
  readonly type: EventTypesOf<'task'>;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** How an attempt ended, for the task's history. */
export interface EndedAttempt {
  readonly outcome: 'completed' | 'failed' | 'timed_out' | 'lease_expired' | 'handed_back' | 'cancelled';
  readonly error: TaskError | null;
}

/** What a command came to: the task as it now is, what happened, and the attempt that ended with it, if one did. */
export interface Decision {
  readonly task: Task;
  readonly facts: readonly Fact[];
  readonly ended?: EndedAttempt;
}

export function isHeld(task: Task): boolean {
  return task.status === 'assigned' || task.status === 'in_progress';
}

export function hasEnded(task: Task): boolean {
  return task.status === 'completed' || task.status === 'failed' || task.status === 'cancelled';
}

/** ISO time `seconds` after `now`. */
export function after(now: string, seconds: number): string {
  return new Date(Date.parse(now) + Math.round(seconds * 1000)).toISOString();
}

/** A client's time in the house's form: UTC with milliseconds, so that times compare as texts. */
export function utc(time: string): string {
  return new Date(time).toISOString();
}

export function earlier(a: string, b: string): string {
  return a < b ? a : b;
}

export function later(a: string | null, b: string): string {
  return a !== null && a > b ? a : b;
}
