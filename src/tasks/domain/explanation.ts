import { type Candidate, capables, full, incapable, unreachable } from './candidate.js';
import type { Explanation } from './rule.js';
import { hasEnded, isHeld, type Task } from './task.js';

/** What stands around a task, as one look found it. */
export interface Situation {
  readonly now: string;
  /** Dependencies that have not ended, the first hundred. */
  readonly open: readonly { readonly task_id: string; readonly status: string; readonly since: string }[];
  readonly pausedSince: string | null;
  /** Live ones first. */
  readonly candidates: readonly Candidate[];
  /** Tasks that are handed out before it: how many, counted to a limit, and the first few. */
  readonly ahead: { readonly count: number; readonly first: readonly string[] };
}

/** Names the rule that keeps a task from running now; it reads, and decides nothing. */
export function explain(task: Task, around: Situation): Explanation {
  if (hasEnded(task)) return end(task);
  if (isHeld(task)) return running(task);
  if (task.status === 'blocked') return dependency(task, around);
  if (task.paused) return pause(task, around);
  if (task.available_at !== null && task.available_at > around.now) return notYet(task, task.available_at);
  const { candidates } = around;
  return (
    unreachable(task, candidates) ??
    incapable(task, candidates) ??
    full(task, candidates) ??
    queue(task, around)
  );
}

function end(task: Task): Explanation {
  const remedies = {
    completed: 'Nothing: it is done.',
    cancelled: 'POST /tasks/{id}/retry starts it anew.',
    failed: 'POST /tasks/{id}/retry starts it anew, with all its attempts.',
  };
  const status = task.status === 'completed' || task.status === 'cancelled' ? task.status : 'failed';
  return {
    rule: 'ended',
    message: `It is ${status}.`,
    since: task.ended_at,
    until: null,
    remedy: remedies[status],
    details: { status, attempt: task.attempt, error: task.error },
  };
}

function running(task: Task): Explanation {
  const began = task.status === 'in_progress';
  return {
    rule: 'running',
    message: `Agent '${task.assigned_agent}' ${began ? 'works on it' : 'has been given it, and has not started it yet'}.`,
    since: task.assigned_at,
    until: task.deadline_at,
    remedy: 'Its agent reports; without a sign of life its lease ends and it is offered again.',
    details: {
      agent_id: task.assigned_agent,
      attempt: task.attempt,
      started: began,
      progress: task.progress,
      lease_expires_at: task.lease_until,
      times_out_at: task.deadline_at,
    },
  };
}

function dependency(task: Task, { open }: Situation): Explanation {
  const names = open.map((one) => `'${one.task_id}' (${one.status})`);
  const latest = open
    .map((one) => one.since)
    .toSorted()
    .at(-1);
  return {
    rule: 'dependency',
    message:
      names.length === 0
        ? 'All its dependencies have ended; it is about to be released.'
        : `It waits for ${names.slice(0, 5).join(', ')}${names.length > 5 ? ' and others' : ''}.`,
    since: latest === undefined || latest < task.created_at ? task.created_at : latest,
    until: null,
    remedy:
      task.on_dependency_failure === 'run'
        ? 'It is released when they have ended, however they end.'
        : 'It is released when they have completed, and fails if one of them fails or is cancelled.',
    details: { dependencies: open, on_dependency_failure: task.on_dependency_failure },
  };
}

function pause(task: Task, { pausedSince }: Situation): Explanation {
  return {
    rule: 'workflow_paused',
    message: `Its workflow '${task.parent_workflow_id}' is paused.`,
    since: pausedSince,
    until: null,
    remedy: 'POST /workflows/{id}/resume.',
    details: { workflow_id: task.parent_workflow_id },
  };
}

function notYet(task: Task, due: string): Explanation {
  const asked = task.not_before !== null && task.not_before >= due;
  const common = { since: task.updated_at, until: due } as const;
  if (asked) {
    return {
      ...common,
      rule: 'not_before',
      message: `It is not to be handed out before ${due}.`,
      remedy: 'PATCH its not_before.',
      details: { not_before: task.not_before },
    };
  }
  return {
    ...common,
    rule: 'backoff',
    message: `Attempt ${task.attempt} ended badly (${task.error?.code ?? 'unknown'}); the next one may begin at ${due}.`,
    remedy: 'It waits by its retry_policy; PATCH not_before offers it at once.',
    details: {
      next_attempt_at: due,
      attempt: task.attempt,
      attempts_left: task.retry_policy.max_attempts - (task.attempt - task.attempts_forgiven),
      error: task.error,
    },
  };
}

function queue(task: Task, { ahead, candidates }: Situation): Explanation {
  const free = capables(task, candidates).filter((one) => one.held < one.capacity);
  const agents = free.slice(0, 20).map((one) => one.id);
  if (ahead.count > 0) {
    return {
      rule: 'behind_others',
      message: `${ahead.count} ${ahead.count === 1 ? 'task is' : 'tasks are'} handed out before it.`,
      since: task.updated_at,
      until: null,
      remedy:
        'Its turn comes; a higher priority brings it forward, and so does waiting (a level every 300 s).',
      details: { ahead: ahead.count, first: ahead.first, priority: task.priority, agents },
    };
  }
  return {
    rule: 'unclaimed',
    message: `It is the next to be handed out; none of the agents with room (${free.length}) has asked for work since.`,
    since: task.updated_at,
    until: null,
    remedy: 'An agent claims, or says that it is ready.',
    details: { ahead: 0, agents },
  };
}
