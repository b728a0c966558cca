export type BackoffStrategy = 'exponential' | 'linear' | 'fixed';

/** How long a failed attempt waits before the next one. All delays in seconds. */
export interface BackoffPolicy {
  readonly backoff_strategy: BackoffStrategy;
  /** Seconds before the second attempt; default 1. */
  readonly initial_delay: number;
  /** No delay is longer, in seconds; default 300. */
  readonly max_delay: number;
  /** `full`: a random part of the delay, so that a failed fleet does not come back in step (AWS Architecture Blog, 2015). */
  readonly jitter: 'full' | 'none';
}

/**
 * Seconds to wait after `failures` failed attempts (1 = the first has just failed).
 * @param random in [0, 1); an argument, so that the decision stays pure
 */
export function backoffDelay(policy: BackoffPolicy, failures: number, random: number): number {
  const growth =
    policy.backoff_strategy === 'exponential'
      ? 2 ** (failures - 1)
      : policy.backoff_strategy === 'linear'
        ? failures
        : 1;
  const delay = Math.min(policy.initial_delay * growth, policy.max_delay);
  return policy.jitter === 'full' ? delay * random : delay;
}
