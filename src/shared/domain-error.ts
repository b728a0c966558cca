import type { ErrorCode } from './error-codes.js';

/** Facts of a refusal, shown to the client as `error.details`. Never SQL, paths or stacks. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/**
 * A refusal with a code of the contract. It is thrown by pure decisions and by services alike, and reaches HTTP,
 * sockets and Kafka as the one standard envelope. Anything else that is thrown is a defect (INTERNAL_ERROR).
 */
export class DomainError extends Error {
  override readonly name = 'DomainError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: ErrorDetails = {},
  ) {
    super(message);
  }
}

/** One violation of a request's shape; `path` is a JSON pointer (RFC 6901). */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** VALIDATION_FAILED with the list of violations, each with the place it stands at. */
export function validationFailed(errors: readonly FieldError[]): DomainError {
  const first = errors[0];
  const message =
    first === undefined ? 'The request is not valid.' : `${first.path || '/'}: ${first.message}`;
  return new DomainError('VALIDATION_FAILED', message, { errors });
}

/** NOT_FOUND for a resource that does not exist, or not for this caller. */
export function notFound(what: string, id: string): DomainError {
  return new DomainError('NOT_FOUND', `There is no ${what} '${id}' here.`, { [`${what}_id`]: id });
}

/** INVALID_TRANSITION: a legal command in the wrong state. */
export function invalidTransition(what: string, from: string, to: string): DomainError {
  return new DomainError('INVALID_TRANSITION', `A ${what} that is ${from} cannot become ${to}.`, {
    from,
    to,
  });
}
