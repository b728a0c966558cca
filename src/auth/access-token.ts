import { DomainError } from '../shared/domain-error.js';
import type { Caller } from './caller.js';
import { parseScopes } from './scopes.js';

/** `iss` and `aud` of every token: they are made here and meant for here, whatever name a client reaches us by. */
export const ISSUER = 'parley';
export const AUDIENCE = 'parley';
/** RFC 9068. */
export const TOKEN_TYPE = 'at+jwt';
export const ALGORITHM = 'RS256';
/** Seconds. */
export const TOKEN_LIFETIME = 3600;

/** The caller that verified claims speak of. @throws DomainError AUTHENTICATION_FAILED when a claim is missing or odd */
export function callerOf(claims: unknown): Caller {
  const {
    client_id,
    project_id,
    scope,
    agent_id,
    credential_id = null,
    exp,
  } = Object(claims) as Record<string, unknown>;
  const scopes = typeof scope === 'string' ? parseScopes(scope) : undefined;
  if (
    typeof client_id !== 'string' ||
    typeof project_id !== 'string' ||
    typeof exp !== 'number' ||
    scopes === undefined ||
    (credential_id !== null && typeof credential_id !== 'string') ||
    (agent_id !== undefined && typeof agent_id !== 'string')
  ) {
    throw invalidToken();
  }
  return {
    clientId: client_id,
    projectId: project_id,
    scopes: new Set(scopes),
    agentId: agent_id ?? null,
    credentialId: credential_id,
    expiresAt: exp * 1000,
  };
}

export function invalidToken(): DomainError {
  return new DomainError('AUTHENTICATION_FAILED', 'The token is not valid.');
}

/** Its client is gone, or has another secret by now. */
export function revokedToken(): DomainError {
  return new DomainError(
    'AUTHENTICATION_FAILED',
    'The token was revoked: its client is gone, or has a new secret.',
  );
}

export function expiredToken(): DomainError {
  return new DomainError('AUTHENTICATION_FAILED', 'The token has expired.');
}
