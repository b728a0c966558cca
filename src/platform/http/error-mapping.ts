import { HttpException } from '@nestjs/common';
import { DomainError, validationFailed } from '../../shared/domain-error.js';
import type { ErrorCode } from '../../shared/error-codes.js';
import { toRefusal } from '../database/postgres-errors.js';

/** What a status that Fastify or Nest chose means in the words of the contract. */
const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'VALIDATION_FAILED',
  401: 'AUTHENTICATION_FAILED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  429: 'RATE_LIMIT_EXCEEDED',
  503: 'SERVICE_UNAVAILABLE',
};

/** Refusals of Fastify whose own text would mislead or say too much. */
const FASTIFY_REFUSALS: Readonly<Record<string, () => DomainError>> = {
  FST_ERR_BAD_URL: () => validationFailed([{ path: '', message: 'the URL is not valid percent-encoding' }]),
  FST_ERR_MAX_PARAM_LENGTH: () => validationFailed([{ path: '', message: 'a part of the URL is too long' }]),
  FST_ERR_CTP_BODY_TOO_LARGE: () => new DomainError('PAYLOAD_TOO_LARGE', 'The body is larger than 1 MiB.'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    new DomainError('UNSUPPORTED_MEDIA_TYPE', 'The body must be JSON (Content-Type: application/json).'),
};

/**
 * What a client sees of anything that was thrown, over HTTP and sockets alike: refusals stay as they are, what the
 * frameworks refuse is put in the contract's words, an absent database is 503, and all else is a defect that tells nothing.
 */
export function toDomainError(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  if (error instanceof HttpException) return ofStatus(error.getStatus(), error.message);
  const fastify = fastifyError(error);
  if (fastify !== undefined)
    return FASTIFY_REFUSALS[fastify.code]?.() ?? ofStatus(fastify.statusCode, fastify.message);
  const refusal = toRefusal(error);
  return refusal instanceof DomainError ? refusal : defect();
}

function ofStatus(status: number, message: string): DomainError {
  if (status >= 500 && status !== 503) return defect();
  const code = CODE_OF_STATUS[status] ?? 'VALIDATION_FAILED';
  return code === 'VALIDATION_FAILED'
    ? validationFailed([{ path: '', message }])
    : new DomainError(code, message);
}

function defect(): DomainError {
  return new DomainError(
    'INTERNAL_ERROR',
    'The server has made an error; its log knows it by this correlation_id.',
  );
}

function fastifyError(error: unknown): { code: string; statusCode: number; message: string } | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('statusCode' in error)) return undefined;
  const { code, statusCode, message } = error;
  if (typeof code !== 'string' || typeof statusCode !== 'number' || !code.startsWith('FST_'))
    return undefined;
  return { code, statusCode, message };
}
