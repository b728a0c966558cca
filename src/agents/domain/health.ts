import type { Agent, Health } from './agent.js';

/** What a probe of an agent's `health_check_url` came to. */
export interface Verdict {
  readonly health: Health;
  /** Why it is not healthy, for people; null when it is. */
  readonly reason: string | null;
}

/** An answer in the 200s says healthy, any other that it is not; a redirect is not followed. */
export function verdictOf(status: number): Verdict {
  if (status >= 200 && status < 300) return { health: 'healthy', reason: null };
  return { health: 'unhealthy', reason: `its health check answered ${status}` };
}

/** Seconds within which an agent is asked for the first time. */
const SOON = 5;

/**
 * When an agent that has just registered is asked first: soon, but not all at once when a fleet starts together.
 * @param random 0 to 1
 */
export function firstProbeAt(now: string, intervalSeconds: number, random: number): string {
  const within = Math.min(intervalSeconds, SOON);
  return new Date(Date.parse(now) + within * (0.1 + 0.9 * random) * 1000).toISOString();
}

type Watched = Pick<Agent, 'health_check_url' | 'health' | 'health_reason'>;

/** What is known of an agent's health when its URL is written: nothing, if it is not the one that was asked. */
export function watched(
  before: Watched | undefined,
  url: string | null,
  firstProbe: string,
): Pick<Agent, 'health' | 'health_reason' | 'probe_at'> {
  const known = before !== undefined && before.health_check_url === url;
  return {
    health: known ? before.health : 'unknown',
    health_reason: known ? before.health_reason : null,
    probe_at: url === null ? null : firstProbe,
  };
}
