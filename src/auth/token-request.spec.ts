import { describe, expect, it } from '@jest/globals';
import { DomainError } from '../shared/domain-error.js';
import { readTokenRequest } from './token-request.js';

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
const inBody = { client_id: 'agent-001', client_secret: 'secret-key' };

function errorOf(body: unknown, authorization?: string): unknown {
  try {
    readTokenRequest(body, authorization);
  } catch (error) {
    return error instanceof DomainError ? (error.details['error'] ?? error.code) : error;
  }
  return undefined;
}

describe('a token request', () => {
  it("takes the seed's agent credentials as they are printed, and fields that it does not know", () => {
    const seed = { ...inBody, certificate: 'base64-encoded-cert', audience: 'somebody' };
    expect(readTokenRequest(seed, undefined)).toEqual({
      clientId: 'agent-001',
      clientSecret: 'secret-key',
      scope: undefined,
    });
  });

  it('takes HTTP Basic, both halves form-encoded', () => {
    const request = readTokenRequest({ scope: 'tasks:read' }, basic('proj%2Fagent+1:s%3Ae:c'));
    expect(request).toEqual({ clientId: 'proj/agent 1', clientSecret: 's:e:c', scope: 'tasks:read' });
    expect(readTokenRequest(undefined, basic('a:b'))).toEqual({
      clientId: 'a',
      clientSecret: 'b',
      scope: undefined,
    });
  });

  it.each<[string, unknown, unknown, string | undefined]>([
    ['another grant', 'unsupported_grant_type', { ...inBody, grant_type: 'password' }, undefined],
    ['credentials given twice', 'invalid_request', inBody, basic('a:b')],
    ['a secret that is no text', 'invalid_request', { ...inBody, client_secret: { $ne: '' } }, undefined],
    ['a NUL character', 'invalid_request', { ...inBody, client_id: 'a\0' }, undefined],
    ['no credentials', 'AUTHENTICATION_FAILED', {}, undefined],
    ['no body', 'AUTHENTICATION_FAILED', undefined, undefined],
    ['an empty secret', 'AUTHENTICATION_FAILED', { ...inBody, client_secret: '' }, undefined],
    ['Basic without a colon', 'AUTHENTICATION_FAILED', {}, basic('ab')],
    ['Basic with a broken escape', 'AUTHENTICATION_FAILED', {}, basic('a%zz:b')],
    ['a bearer token', 'AUTHENTICATION_FAILED', {}, 'Bearer x'],
  ])('is refused with %s', (_, error, body, authorization) => {
    expect(errorOf(body, authorization)).toBe(error);
  });
});
