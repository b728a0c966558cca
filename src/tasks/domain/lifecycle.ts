import { DomainError, invalidTransition } from '../../shared/domain-error.js';
import { afterFailure, ended, queued, type Circumstances } from './retry.js';
import { assertAllowed } from './task.machine.js';
import {
  earlier,
  isHeld,
  later,
  RANK,
  type Decision,
  type Fact,
  type Priority,
  type Task,
  utc,
} from './task.js';
import { atTheEnd } from './turn.js';

/** Ends a task on request. The holder learns of it by event and by its next heartbeat; repeating it changes nothing. */
export function cancel(task: Task, reason: string, { now }: Circumstances): Decision {
  if (task.status === 'cancelled') return { task, facts: [] };
  assertAllowed('cancel', task);
  const decision: Decision = {
    task: ended(task, 'cancelled', now),
    facts: [{ type: 'task.cancelled', details: { reason } }],
  };
  return isHeld(task) ? { ...decision, ended: { outcome: 'cancelled', error: null } } : decision;
}

/** All dependencies are met: the task may be claimed, unless it is not due yet. */
export function release(task: Task, { now }: Circumstances): Decision {
  assertAllowed('release', task);
  return {
    task: atTheEnd(queued(task, task.not_before, now)),
    facts: [{ type: 'task.queued', details: { reason: 'dependencies_met' } }],
  };
}

/** A dependency ended badly, and the task was told to fail with it. */
export function failDependency(
  task: Task,
  dependency: { id: string; status: string },
  { now }: Circumstances,
): Decision {
  assertAllowed('fail_dependency', task);
  const error = {
    code: 'DEPENDENCY_NOT_MET',
    message: `Dependency '${dependency.id}' is ${dependency.status}.`,
    retryable: false,
    details: { dependency: dependency.id, status: dependency.status },
  };
  return {
    task: { ...ended(task, 'failed', now), error },
    facts: [{ type: 'task.failed', details: { error } }],
  };
}

/** What decides about a redrive beside the task. */
export interface Redriving {
  readonly dependenciesMet: boolean;
  /** Its workflow is paused. */
  readonly isPaused: boolean;
}

/** Redrives a task that failed or was cancelled: it starts anew with all its attempts; their numbers go on. */
export function redrive(
  task: Task,
  { dependenciesMet, isPaused }: Redriving,
  { now }: Circumstances,
): Decision {
  assertAllowed('retry', task);
  if (task.stage_name !== null) {
    throw new DomainError(
      'CONFLICT',
      `Task '${task.id}' is a stage of workflow '${task.parent_workflow_id}'; retry the workflow.`,
    );
  }
  if (!dependenciesMet) {
    throw new DomainError('DEPENDENCY_NOT_MET', `A dependency of task '${task.id}' has not completed.`, {
      dependencies: task.dependencies,
    });
  }
  const anew: Task = {
    ...atTheEnd(queued({ ...task, paused: isPaused }, null, now)),
    attempts_forgiven: task.attempt,
    error: null,
    output_data: null,
    progress: null,
    started_at: null,
    ended_at: null,
    settled: true,
  };
  return { task: anew, facts: [{ type: 'task.queued', details: { reason: 'retried' } }] };
}

/** What may be changed while a task waits. */
export interface Edit {
  readonly priority?: Priority;
  readonly not_before?: string;
  readonly timeout?: number;
  readonly metadata?: unknown;
}

export function edit(task: Task, changes: Edit, { now }: Circumstances): Decision {
  if (task.status !== 'blocked' && task.status !== 'queued')
    throw invalidTransition('task', task.status, 'edited');
  const priority = changes.priority ?? task.priority;
  const notBefore = changes.not_before === undefined ? task.not_before : utc(changes.not_before);
  const moves = changes.priority !== undefined && RANK[priority] !== task.rank;
  const edited: Task = {
    ...(moves ? atTheEnd(task) : task),
    priority,
    rank: changes.priority === undefined ? task.rank : RANK[priority],
    timeout: changes.timeout ?? task.timeout,
    metadata: changes.metadata === undefined ? task.metadata : changes.metadata,
    not_before: notBefore,
    updated_at: now,
  };
  const moved = task.status === 'queued' && changes.not_before !== undefined;
  const facts: Fact[] = [{ type: 'task.updated', details: { changed: Object.keys(changes) } }];
  return { task: moved ? queued(edited, notBefore, now) : edited, facts };
}

/** What the holder's agent row says about its life, when a lease is looked at; null when there is no such agent any more. */
export interface HolderLease {
  readonly lease_until: string;
  readonly session_epoch: number;
}

/**
 * Looks at a held task whose `check_at` has come. A heartbeat keeps alive what its agent has started in its present
 * session; an assigned task lives on its own lease. What still lives is only looked at again later.
 */
export function checkLease(task: Task, holder: HolderLease | null, at: Circumstances): Decision {
  if (!isHeld(task) || task.lease_until === null || task.deadline_at === null) return { task, facts: [] };
  if (task.deadline_at <= at.now) {
    const error = { code: 'TASK_TIMEOUT', message: `The attempt did not finish within ${task.timeout} s.` };
    return afterFailure(task, { error, outcome: 'timed_out', backoff: true }, at);
  }
  const covered =
    task.status === 'in_progress' && holder !== null && holder.session_epoch === task.session_epoch;
  const leaseUntil = covered ? later(task.lease_until, holder.lease_until) : task.lease_until;
  if (leaseUntil > at.now)
    return { task: { ...task, check_at: earlier(leaseUntil, task.deadline_at) }, facts: [] };
  const error = {
    code: 'LEASE_EXPIRED',
    message: `Agent '${task.assigned_agent}' gave no sign of life within its lease.`,
  };
  return afterFailure(task, { error, outcome: 'lease_expired', backoff: false }, at);
}

/** The holder's session is over before its lease: the attempt is spent, the task offered again at once. */
export function loseHolder(task: Task, reason: string, at: Circumstances): Decision {
  assertAllowed('expire', task);
  return afterFailure(
    task,
    { error: { code: 'LEASE_EXPIRED', message: reason }, outcome: 'lease_expired', backoff: false },
    at,
  );
}
