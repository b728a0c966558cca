import { type BackoffPolicy, backoffDelay } from '../../shared/backoff.js';

export const DELIVERY_KINDS = ['callback', 'webhook'] as const;
export const DELIVERY_STATUSES = ['pending', 'delivered', 'failed'] as const;

/** How long a delivery is tried, in hours. */
export const TRIED_HOURS = 24;

const BACKOFF: BackoffPolicy = {
  backoff_strategy: 'exponential',
  initial_delay: 1,
  max_delay: 300,
  jitter: 'none',
};
/** A receiver may ask for so much patience at most, in seconds. */
const MAX_RETRY_AFTER = 3_600;

/** What a receiver answered. */
export interface ReceiverAnswer {
  readonly status: number;
  /** Its `Retry-After`, as it was sent. */
  readonly retryAfter: string | undefined;
}

/** What a try came to, and with that the delivery. `code` is the status that was answered, if there was an answer. */
export type Verdict =
  | { readonly status: 'delivered'; readonly code: number }
  /** `gone`: the receiver wants nothing any more. */
  | {
      readonly status: 'failed';
      readonly code: number | null;
      readonly error: string;
      readonly gone: boolean;
    }
  /** Tried again after `delay` seconds. */
  | {
      readonly status: 'pending';
      readonly code: number | null;
      readonly error: string;
      readonly delay: number;
    };

/**
 * @param attempt the number of this try, from 1
 * @param now ms; an argument, so that the decision stays pure
 */
export function verdictOf({ status, retryAfter }: ReceiverAnswer, attempt: number, now: number): Verdict {
  if (status >= 200 && status < 300) return { status: 'delivered', code: status };
  if (status === 410)
    return { status: 'failed', code: status, error: 'the receiver answered 410: it is gone', gone: true };
  const redirects = status >= 300 && status < 400 ? ', and redirects are not followed' : '';
  return {
    status: 'pending',
    code: status,
    error: `the receiver answered ${status}${redirects}`,
    // Never sooner than without it.
    delay: Math.max(delayAfter(attempt), retryAfterSeconds(retryAfter, now) ?? 0),
  };
}

/** A try that came to no answer and may do better next time. */
export function unanswered(error: string, attempt: number): Verdict {
  return { status: 'pending', code: null, error, delay: delayAfter(attempt) };
}

/** One that no other try would help. */
export function hopeless(error: string): Verdict {
  return { status: 'failed', code: null, error, gone: false };
}

/** Seconds until the next try: 1, 2, 4, 8 …, 300 at most. */
function delayAfter(attempt: number): number {
  return backoffDelay(BACKOFF, attempt, 0);
}

const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*, .* GMT$/;

/** Seconds that a `Retry-After` (RFC 9110 §10.2.3) asks to wait, an hour at most; undefined when it cannot be read. */
export function retryAfterSeconds(text: string | undefined, now: number): number | undefined {
  const value = text?.trim() ?? '';
  const wait = /^\d+$/.test(value)
    ? Number(value)
    : HTTP_DATE.test(value)
      ? (Date.parse(value) - now) / 1000
      : NaN;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), MAX_RETRY_AFTER);
}
