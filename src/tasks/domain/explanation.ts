import { hasEnded, isHeld, type Task } from './task.js';

/** What keeps a task from running now, in the order in which it is looked for. */
export const RULES = [
  'ended',
  'running',
  'dependency',
  'workflow_paused',
  'not_before',
  'backoff',
  'assigned_agent_away',
  'no_live_agent',
  'capability',
  'capacity',
  'behind_others',
  'unclaimed',
] as const;
export type Rule = (typeof RULES)[number];

/** Why a task is where it is, with the facts. */
export interface Explanation {
  readonly rule: Rule;
  readonly message: string;
  /** Since when it holds; null where nobody knows. */
  readonly since: string | null;
  /** When it ends by itself; null: not by time. */
  readonly until: string | null;
  /** What would change it. */
  readonly remedy: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** An agent that might take the task: of its type, or the one it names. */
export interface Candidate {
  readonly id: string;
  readonly project_id: string;
  readonly type: string;
  readonly liveness: 'active' | 'suspect' | 'offline';
  readonly draining: boolean;
  readonly capabilities: readonly string[];
  readonly capacity: number;
  readonly last_seen: string;
  readonly updated_at: string;
  /** Tasks it holds, when it was given the last of them, and when the first of them times out. */
  readonly held: number;
  readonly held_since: string | null;
  readonly held_until: string | null;
}

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
  return (
    unreachable(task, around) ??
    incapable(task, capables(task, around), around) ??
    full(capables(task, around)) ??
    queue(task, around)
  );
}

/** May it be given work at all? */
function isLive(candidate: Candidate): boolean {
  return candidate.liveness !== 'offline' && !candidate.draining;
}

/** Live agents that have what the task requires. */
export function capables(task: Task, { candidates }: Pick<Situation, 'candidates'>): Candidate[] {
  return candidates.filter((one) => isLive(one) && missing(task, one).length === 0);
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

function unreachable(task: Task, { candidates }: Situation): Explanation | undefined {
  if (candidates.some(isLive)) return undefined;
  const [last] = candidates.toSorted((a, b) => (a.last_seen < b.last_seen ? 1 : -1));
  const state = last === undefined ? 'unknown' : last.liveness === 'offline' ? 'offline' : 'draining';
  const gone = last === undefined ? null : state === 'draining' ? last.updated_at : last.last_seen;
  const facts = { state, last_seen: last?.last_seen ?? null };
  const since = gone === null || gone < task.updated_at ? task.updated_at : gone;
  if (task.requested_agent !== null) {
    return {
      rule: 'assigned_agent_away',
      message: `Agent '${task.requested_agent}', the one that may take it, is ${state}.`,
      since,
      until: null,
      remedy: `It waits until '${task.requested_agent}' ${last === undefined ? 'registers' : 'is back'}.`,
      details: { agent_id: task.requested_agent, ...facts },
    };
  }
  return {
    rule: 'no_live_agent',
    message:
      last === undefined
        ? `No agent of type '${task.agent_type}' has ever registered.`
        : `No agent of type '${task.agent_type}' takes work now; the last one seen, '${last.id}', is ${state}.`,
    since,
    until: null,
    remedy: `Start an agent of type '${task.agent_type}', or let one go on.`,
    details: { agent_type: task.agent_type, last_agent: last?.id ?? null, ...facts },
  };
}

function missing(task: Task, candidate: Candidate): string[] {
  return task.required_capabilities.filter((one) => !candidate.capabilities.includes(one));
}

function incapable(task: Task, able: readonly Candidate[], around: Situation): Explanation | undefined {
  if (able.length > 0) return undefined;
  const lacking = around.candidates
    .filter(isLive)
    .map((one) => ({ agent_id: one.id, missing: missing(task, one) }));
  const [nearest] = lacking.toSorted((a, b) => a.missing.length - b.missing.length);
  return {
    rule: 'capability',
    message: `It requires ${task.required_capabilities.join(', ')}; no live agent that may take it has all of it (nearest: '${nearest?.agent_id}', which lacks ${nearest?.missing.join(', ')}).`,
    since: task.updated_at,
    until: null,
    remedy: 'Register an agent that has these capabilities.',
    details: { required_capabilities: task.required_capabilities, agents: lacking.slice(0, 20) },
  };
}

function full(able: readonly Candidate[]): Explanation | undefined {
  if (able.some((one) => one.held < one.capacity)) return undefined;
  const filled = able.map((one) => one.held_since ?? '').toSorted();
  return {
    rule: 'capacity',
    message: `All agents that could take it (${able.length}) hold as much as they may.`,
    since: filled.at(-1) || null,
    until: null,
    remedy: 'An agent of these finishes something, or another one starts.',
    details: {
      agents: able.slice(0, 20).map((one) => ({ agent_id: one.id, held: one.held, capacity: one.capacity })),
      first_times_out_at: able.flatMap((one) => one.held_until ?? []).toSorted()[0] ?? null,
    },
  };
}

function queue(task: Task, { ahead, ...around }: Situation): Explanation {
  const free = capables(task, around).filter((one) => one.held < one.capacity);
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
