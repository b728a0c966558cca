import { STATUS_CODES } from 'node:http';
import type { DomainError } from '../../shared/domain-error.js';
import { ERROR_STATUS } from '../../shared/error-codes.js';

/** The one envelope of every failure, over HTTP and sockets alike (CONTRACT §1). */
export interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly details: Readonly<Record<string, unknown>>;
    readonly correlation_id: string;
    readonly timestamp: string;
  };
}

/** Seconds after which a refusal for want of capacity is worth repeating. */
const DEFAULT_RETRY_AFTER = 1;

/** The refusal as the standard envelope. 429 and 503 always say when to come back (`details.retry_after`, seconds). */
export function errorBody(refusal: DomainError, correlationId: string): ErrorBody {
  const retryAfter = retryAfterOf(refusal);
  return {
    error: {
      code: refusal.code,
      message: refusal.message,
      details: retryAfter === undefined ? refusal.details : { ...refusal.details, retry_after: retryAfter },
      correlation_id: correlationId,
      timestamp: new Date().toISOString(),
    },
  };
}

/** The same facts as RFC 9457 wants them, for clients that ask for `application/problem+json`. */
export function problemBody({ error }: ErrorBody, status: number, instance: string): Record<string, unknown> {
  return {
    type: `urn:parley:error:${error.code}`,
    title: STATUS_CODES[status],
    status,
    detail: error.message,
    instance,
    ...error,
  };
}

/** Seconds for the Retry-After header; undefined where a repetition would be refused the same way. */
export function retryAfterOf(refusal: DomainError): number | undefined {
  const status = ERROR_STATUS[refusal.code];
  if (status !== 429 && status !== 503) return undefined;
  const stated = refusal.details['retry_after'];
  return typeof stated === 'number' ? stated : DEFAULT_RETRY_AFTER;
}
