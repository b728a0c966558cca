import { DomainError, invalidTransition } from '../../shared/domain-error.js';
import { afterFailure, ended, queued, type Circumstances } from './retry.js';
import { assertAllowed } from './task.machine.js';
import {
  after,
  earlier,
  isHeld,
  later,
  type Decision,
  type Fact,
  type Task,
  type TaskError,
  utc,
} from './task.js';

/** What a holder tells about its task. */
export interface Report {
  readonly status?: 'in_progress' | 'completed' | 'failed' | 'queued';
  /** Per cent, 0..100. */
  readonly progress?: number;
  readonly output_data?: unknown;
  readonly estimated_completion?: string;
  readonly error?: TaskError;
}

/** Who reports, and with which proof. */
export interface Reporter {
  /** The agent that calls; null when it is no agent but a client with `tasks:execute`. */
  readonly agent: { readonly id: string; readonly projectId: string } | null;
  /** The agent's present session, if it named one. */
  readonly sessionEpoch: number | null;
  /**
   * `proved`: it showed the lease token, which only the holder was told. `current`: it named the attempt, which anybody
   * can guess. `stale`: what it showed or named is not the task's. `none`: nothing.
   */
  readonly fence: 'proved' | 'current' | 'stale' | 'none';
}

/** Decides a report: the fence first, then repetition, then the state machine. */
export function decideReport(task: Task, report: Report, reporter: Reporter, at: Circumstances): Decision {
  if (reporter.fence === 'stale') throw staleLease(task);
  if (takesItsOwn(task, report, reporter)) return startUnclaimed(task, report, reporter, at);
  if (reporter.fence === 'none' || (reporter.fence === 'current' && isHeld(task)))
    assertHolder(task, reporter);
  if (!isHeld(task)) return repeated(task, report);
  switch (report.status) {
    case 'completed':
      return complete(task, report, at);
    case 'failed':
      assertAllowed('fail', task);
      return afterFailure(
        told(task, report),
        { error: report.error ?? UNEXPLAINED, outcome: 'failed', backoff: true },
        at,
      );
    case 'queued':
      return handBack(task, at);
    case 'in_progress':
    case undefined:
      return progress(task, report, at);
  }
}

const UNEXPLAINED: TaskError = {
  code: 'TASK_FAILED',
  message: 'The agent reported a failure without an error.',
};

function staleLease(task: Task): DomainError {
  return new DomainError('STALE_LEASE', `The lease on task '${task.id}' is no longer yours; drop the work.`, {
    task_id: task.id,
    attempt: task.attempt,
    status: task.status,
  });
}

/** Without the lease token only the present holder is accepted; what it reported before, it may report again. */
function assertHolder(task: Task, { agent }: Reporter): void {
  const mine =
    agent !== null &&
    task.assigned_agent === agent.id &&
    (!isHeld(task) || task.agent_project === agent.projectId);
  if (mine) return;
  if (isHeld(task) || agent === null) {
    throw new DomainError('FORBIDDEN', `Task '${task.id}' is not held by you; name its lease_token.`, {
      task_id: task.id,
    });
  }
  if (task.attempt > 0 && !('completed' === task.status || 'cancelled' === task.status))
    throw staleLease(task);
  throw invalidTransition('task', task.status, 'in_progress');
}

/** The seed's way: `in_progress` by the agent that a queued task is assigned to claims it in the same step. */
function takesItsOwn(task: Task, report: Report, { agent, fence }: Reporter): boolean {
  const waits = task.status === 'queued' || task.status === 'blocked';
  return (
    waits &&
    report.status === 'in_progress' &&
    fence === 'none' &&
    agent !== null &&
    task.requested_agent === agent.id
  );
}

function startUnclaimed(
  task: Task,
  report: Report,
  { agent, sessionEpoch }: Reporter,
  at: Circumstances,
): Decision {
  if (task.status === 'blocked') {
    throw new DomainError('DEPENDENCY_NOT_MET', `Task '${task.id}' waits for its dependencies.`, {
      task_id: task.id,
      dependencies: task.dependencies,
    });
  }
  if (task.paused) {
    const message = `Workflow '${task.parent_workflow_id}' is paused; its tasks wait until it is resumed.`;
    throw new DomainError('CONFLICT', message, { workflow_id: task.parent_workflow_id });
  }
  const claimed: Task = {
    ...task,
    status: 'assigned',
    claimable: false,
    available_at: null,
    attempt: task.attempt + 1,
    assigned_agent: agent?.id ?? null,
    agent_project: agent?.projectId ?? null,
    session_epoch: sessionEpoch,
    assigned_at: at.now,
    lease_until: after(at.now, at.leaseSeconds),
    deadline_at: after(at.now, task.timeout),
    check_at: earlier(after(at.now, at.leaseSeconds), after(at.now, task.timeout)),
  };
  const started = progress(claimed, report, at);
  return { ...started, facts: [{ type: 'task.assigned' }, ...started.facts] };
}

/** A report on a task that nobody holds: the answer to a report that was heard before, or a refusal. */
function repeated(task: Task, report: Report): Decision {
  // The error may be that of an earlier attempt: one that was handed back has none.
  const failed = task.error?.attempt === task.attempt;
  const lostLease = failed && ['LEASE_EXPIRED', 'TASK_TIMEOUT'].includes(task.error?.code ?? '');
  const retried = failed && task.status === 'queued' && report.status === 'failed';
  // Where there was no attempt, nothing was heard, whatever the state.
  const heard = task.attempt > 0 && (task.status === report.status || retried);
  if (heard && !lostLease) return { task, facts: [] };
  if (task.status === 'queued' || (lostLease && task.status === 'failed')) throw staleLease(task);
  throw invalidTransition('task', task.status, report.status ?? 'in_progress');
}

/** What a report tells beside the status. */
function told(task: Task, report: Report): Task {
  return {
    ...task,
    progress: report.progress ?? task.progress,
    output_data: report.output_data === undefined ? task.output_data : report.output_data,
    estimated_completion:
      report.estimated_completion === undefined
        ? task.estimated_completion
        : utc(report.estimated_completion),
  };
}

function progress(task: Task, report: Report, at: Circumstances): Decision {
  assertAllowed('start', task);
  const first = task.status === 'assigned';
  const facts: Fact[] = first ? [{ type: 'task.started' }] : [];
  if (!first || report.progress !== undefined)
    facts.push({ type: 'task.progress', details: progressDetails(report) });
  return {
    task: {
      ...told(task, report),
      status: 'in_progress',
      started_at: first ? at.now : task.started_at,
      lease_until: later(task.lease_until, after(at.now, at.leaseSeconds)),
      updated_at: at.now,
    },
    facts,
  };
}

function progressDetails(report: Report): Record<string, unknown> {
  return report.output_data === undefined ? {} : { details: report.output_data };
}

function complete(task: Task, report: Report, at: Circumstances): Decision {
  assertAllowed('complete', task);
  const done = told(task, report);
  return {
    task: {
      ...ended(done, 'completed', at.now),
      progress: 100,
      error: null,
      started_at: task.started_at ?? at.now,
    },
    facts: [{ type: 'task.completed', details: { output_data: done.output_data } }],
    ended: { outcome: 'completed', error: null },
  };
}

/** The attempt is refunded, but its number stays used: a number that came back would fence nothing. */
function handBack(task: Task, at: Circumstances): Decision {
  assertAllowed('hand_back', task);
  return {
    task: {
      ...queued(task, null, at.now),
      attempts_forgiven: task.attempts_forgiven + 1,
      progress: null,
    },
    facts: [{ type: 'task.queued', details: { reason: 'handed_back' } }],
    ended: { outcome: 'handed_back', error: null },
  };
}
