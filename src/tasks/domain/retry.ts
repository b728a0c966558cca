import { backoffDelay } from '../../shared/backoff.js';
import { after, type Decision, type EndedAttempt, type Task, type TaskError } from './task.js';

/** What decides, beside the task: database time, and chance as an argument. */
export interface Circumstances {
  readonly now: string;
  /** In [0, 1). */
  readonly random: number;
  /** How long a lease lasts without a sign of life, in seconds. */
  readonly leaseSeconds: number;
}

/** No holder and no lease: what every task looks like that nobody works on. */
const UNHELD = {
  session_epoch: null,
  assigned_at: null,
  lease_until: null,
  deadline_at: null,
  check_at: null,
} as const;

/** The task as it is after it ended, whatever the end. A task that others wait for, or that a workflow watches, is not settled yet. */
export function ended(task: Task, status: 'completed' | 'failed' | 'cancelled', now: string): Task {
  return {
    ...task,
    ...UNHELD,
    status,
    claimable: false,
    // A pause that ends later would not find it any more.
    paused: false,
    available_at: null,
    ended_at: now,
    updated_at: now,
    settled: !task.awaited && task.parent_workflow_id === null,
  };
}

/** The task as it is when it waits for a claim from `availableAt` on (null: now). */
export function queued(task: Task, availableAt: string | null, now: string): Task {
  const due = availableAt === null || availableAt <= now;
  return {
    ...task,
    ...UNHELD,
    status: 'queued',
    assigned_agent: task.requested_agent,
    agent_project: null,
    claimable: due && !task.paused,
    available_at: due ? null : availableAt,
    updated_at: now,
  };
}

/** Attempts that count against the policy. */
function spentAttempts(task: Task): number {
  return task.attempt - task.attempts_forgiven;
}

/** An attempt ended badly: another one follows while the policy allows it, after its backoff, or the task has failed. */
export function afterFailure(
  task: Task,
  failure: {
    readonly error: TaskError;
    readonly outcome: EndedAttempt['outcome'];
    readonly backoff: boolean;
  },
  { now, random }: Circumstances,
): Decision {
  const { outcome } = failure;
  const error = { ...failure.error, attempt: task.attempt };
  const attempt: EndedAttempt = { outcome, error: failure.error };
  const policy = task.retry_policy;
  const spent = spentAttempts(task);
  const again =
    spent < policy.max_attempts &&
    error.retryable !== false &&
    !policy.non_retryable_errors.includes(error.code);
  if (!again) {
    return {
      task: { ...ended(task, 'failed', now), error },
      facts: [{ type: 'task.failed', details: { error } }],
      ended: attempt,
    };
  }
  const due = failure.backoff ? after(now, backoffDelay(policy, spent, random)) : now;
  const next = { ...queued(task, due, now), error, progress: null };
  return {
    task: next,
    facts: [{ type: 'task.retrying', details: { error, next_attempt_at: due } }],
    ended: attempt,
  };
}
