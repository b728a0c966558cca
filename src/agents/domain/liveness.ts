import type { AgentRow, Liveness } from './agent.js';
import type { AgentCommand } from './agent.machine.js';

/** A lease is three heartbeat intervals long. With half of it gone, one heartbeat is missed beyond the network's moods. */
const SUSPECT_AT = 0.5;

/** Seconds before the end of its lease at which an agent becomes suspect. */
export function suspectBefore(leaseSeconds: number): number {
  return leaseSeconds * SUSPECT_AT;
}

/**
 * How alive an agent is by its lease. The lease, not `last_seen`, decides, as it holds what outages of ours were credited.
 * @param now database time, ISO 8601
 */
export function livenessAt(leaseUntil: string, now: string, leaseSeconds: number): Liveness {
  const left = (Date.parse(leaseUntil) - Date.parse(now)) / 1000;
  if (left < 0) return 'offline';
  return left < suspectBefore(leaseSeconds) ? 'suspect' : 'active';
}

/** What the clock has to say to an agent; undefined when it is as alive as its lease says, or less. */
export function overdue(
  agent: Pick<AgentRow, 'liveness' | 'lease_until'>,
  now: string,
  leaseSeconds: number,
): AgentCommand | undefined {
  const liveness = livenessAt(agent.lease_until, now, leaseSeconds);
  if (liveness === 'offline' && agent.liveness !== 'offline') return 'miss_three';
  return liveness === 'suspect' && agent.liveness === 'active' ? 'miss_one' : undefined;
}
