import { DomainError } from '../shared/domain-error.js';

/** What a request for a token says, wherever it says it. */
export interface TokenRequest {
  readonly clientId: string;
  readonly clientSecret: string;
  /** Absent: all that the client has. */
  readonly scope: string | undefined;
}

/** A refusal of the token endpoint; `error` is the code of RFC 6749 §5.2. */
export function tokenRefusal(
  error: 'invalid_request' | 'unsupported_grant_type' | 'invalid_scope',
  message: string,
): DomainError {
  return new DomainError('VALIDATION_FAILED', message, { error });
}

export function invalidClient(): DomainError {
  return new DomainError('AUTHENTICATION_FAILED', 'The client id or its secret is wrong.');
}

/**
 * Reads a `client_credentials` request (RFC 6749 §4.4): credentials by HTTP Basic or in the body, not both. `grant_type`
 * may be absent, as the seed's `agent_credentials` have none. Fields that are not known are ignored, as the RFC demands.
 * @throws DomainError with the RFC's error code in its details
 */
export function readTokenRequest(body: unknown, authorization: string | undefined): TokenRequest {
  const fields = textFields(body);
  if ((fields['grant_type'] ?? 'client_credentials') !== 'client_credentials') {
    throw tokenRefusal('unsupported_grant_type', 'grant_type must be client_credentials.');
  }
  const basic = authorization === undefined ? undefined : readBasic(authorization);
  if (basic !== undefined && fields['client_secret'] !== undefined) {
    throw tokenRefusal('invalid_request', 'Give the credentials once: by HTTP Basic or in the body.');
  }
  const clientId = basic?.clientId ?? fields['client_id'];
  const clientSecret = basic?.clientSecret ?? fields['client_secret'];
  if (clientId === undefined || clientSecret === undefined) {
    throw new DomainError('AUTHENTICATION_FAILED', 'client_id and client_secret are required.');
  }
  return { clientId, clientSecret, scope: fields['scope'] };
}

/** The texts of the body; an empty one counts as absent (RFC 6749 §3.2). */
function textFields(body: unknown): Record<string, string | undefined> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return {};
  const known = ['grant_type', 'client_id', 'client_secret', 'scope'];
  const values: Record<string, unknown> = { ...body };
  const fields: Record<string, string> = {};
  for (const name of known) {
    const value = values[name];
    if (value === undefined || value === '') continue;
    if (typeof value !== 'string' || value.length > 2048 || value.includes('\0')) {
      throw tokenRefusal('invalid_request', `${name} must be a text of at most 2048 characters.`);
    }
    fields[name] = value;
  }
  return fields;
}

/** RFC 6749 §2.3.1: both halves are form-encoded before they are put together. Other schemes are not ours to read. */
function readBasic(authorization: string): { clientId: string; clientSecret: string } | undefined {
  const [, encoded] = /^Basic +([A-Za-z0-9+/_=-]+)$/i.exec(authorization) ?? [];
  if (encoded === undefined) return undefined;
  const [, clientId, clientSecret] =
    /^([^:\0]*):([^\0]*)$/.exec(Buffer.from(encoded, 'base64').toString()) ?? [];
  if (clientId === undefined || clientSecret === undefined) throw invalidClient();
  return { clientId: formDecoded(clientId), clientSecret: formDecoded(clientSecret) };
}

function formDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw invalidClient();
  }
}
