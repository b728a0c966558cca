import type { Explanation } from './rule.js';
import type { Task } from './task.js';

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

/** May it be given work at all? */
function isLive(candidate: Candidate): boolean {
  return candidate.liveness !== 'offline' && !candidate.draining;
}

/** Live agents that have what the task requires. */
export function capables(task: Task, candidates: readonly Candidate[]): Candidate[] {
  return candidates.filter((one) => isLive(one) && missing(task, one).length === 0);
}

/** Nobody who may take it takes work. */
export function unreachable(task: Task, candidates: readonly Candidate[]): Explanation | undefined {
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

/** None of the live ones has what it requires. */
export function incapable(task: Task, candidates: readonly Candidate[]): Explanation | undefined {
  if (capables(task, candidates).length > 0) return undefined;
  const lacking = candidates.filter(isLive).map((one) => ({ agent_id: one.id, missing: missing(task, one) }));
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

/** Those that could take it have no room. */
export function full(task: Task, candidates: readonly Candidate[]): Explanation | undefined {
  const able = capables(task, candidates);
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
