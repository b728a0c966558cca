import { isNativeError } from 'node:util/types';
import { DomainError } from '../../shared/domain-error.js';

const UNIQUE_VIOLATION = '23505';
const SERIALIZATION_FAILURE = '40001';
const DEADLOCK_DETECTED = '40P01';
const LOCK_NOT_AVAILABLE = '55P03';
const QUERY_CANCELED = '57014';
const FEATURE_NOT_SUPPORTED = '0A000';
const TOO_MANY_CONNECTIONS = '53300';

/** The SQLSTATE of an error that the server itself reported, else undefined. */
function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) && 'severity' in error
    ? error.code
    : undefined;
}

/** The connection is gone, or the server is going or not yet there: nobody knows what became of what was sent. */
export function isConnectionLost(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== undefined)
    return state.startsWith('57P') || state.startsWith('08') || state === TOO_MANY_CONNECTIONS;
  return (
    // Not instanceof: errors of Node's own may come from another realm than ours (in Jest they do).
    isNativeError(error) &&
    !(error instanceof DomainError) &&
    !(error instanceof TypeError) &&
    isWireError(error)
  );
}

function isWireError(error: Error): boolean {
  if ('code' in error && typeof error.code === 'string') return /^(E[A-Z]+|ERR_SOCKET.*)$/.test(error.code);
  return /connection (terminated|error)|timeout exceeded when trying to connect|timeout expired|query read timeout|not queryable|Client was closed/i.test(
    error.message,
  );
}

/**
 * A table was altered, by a newer release's migration for one, and what this connection had prepared answers with other
 * columns than before. Nothing was done; prepared anew it works.
 */
export function isPreparedForAnother(error: unknown): boolean {
  return (
    sqlState(error) === FEATURE_NOT_SUPPORTED &&
    error instanceof Error &&
    error.message.startsWith('cached plan')
  );
}

/** Somebody else's transaction was in the way; the same work may succeed when it is done again. */
export function isWorthRepeating(error: unknown): boolean {
  const state = sqlState(error);
  const wasInTheWay =
    state === UNIQUE_VIOLATION || state === SERIALIZATION_FAILURE || state === DEADLOCK_DETECTED;
  return wasInTheWay || isPreparedForAnother(error);
}

/** A statement took longer than any may; nothing of its transaction was done. */
export function isOverdue(error: unknown): boolean {
  return sqlState(error) === QUERY_CANCELED;
}

function isLockTimeout(error: unknown): boolean {
  return sqlState(error) === LOCK_NOT_AVAILABLE;
}

/** 503 for the time Postgres is away. */
export function databaseAway(): DomainError {
  return new DomainError('SERVICE_UNAVAILABLE', 'The database is away; try again in a moment.', {
    retry_after: 1,
  });
}

/** What a caller sees of an error of the database: refusals stay, outages and lock waits become 503, the rest is a defect. */
export function toRefusal(error: unknown): unknown {
  if (isConnectionLost(error)) return databaseAway();
  if (isOverdue(error)) {
    return new DomainError('SERVICE_UNAVAILABLE', 'The database did not answer in time.', { retry_after: 1 });
  }
  if (isLockTimeout(error)) {
    return new DomainError('SERVICE_UNAVAILABLE', 'The resource is busy; try again in a moment.', {
      retry_after: 1,
    });
  }
  return error;
}
