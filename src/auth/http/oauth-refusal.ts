import type { FastifyRequest } from 'fastify';
import type { RefusalAnswer } from '../../platform/http/route-config.decorator.js';
import type { DomainError } from '../../shared/domain-error.js';
import { ERROR_STATUS, type ErrorCode } from '../../shared/error-codes.js';

/** What our codes are called in RFC 6749 §5.2 and §4.1.2.1; everything else is an invalid_request. */
const OAUTH_ERROR: Partial<Record<ErrorCode, string>> = {
  AUTHENTICATION_FAILED: 'invalid_client',
  SERVICE_UNAVAILABLE: 'temporarily_unavailable',
  INTERNAL_ERROR: 'server_error',
};

/** The shape that OAuth clients expect of a refused token request. */
export function oauthRefusal(refusal: DomainError, request: FastifyRequest): RefusalAnswer {
  const stated = refusal.details['error'];
  const status = ERROR_STATUS[refusal.code];
  return {
    status,
    headers: {
      'Cache-Control': 'no-store',
      // Only who tried HTTP Basic is told to try it again: browsers would ask people for a password.
      ...(status === 401 && request.headers.authorization !== undefined
        ? { 'WWW-Authenticate': 'Basic realm="parley"' }
        : {}),
    },
    body: {
      error: typeof stated === 'string' ? stated : (OAUTH_ERROR[refusal.code] ?? 'invalid_request'),
      error_description: refusal.message,
    },
  };
}
