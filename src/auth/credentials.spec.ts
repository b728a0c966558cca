import { describe, expect, it } from '@jest/globals';
import { agentClientId, newCredential, secretMatches } from './credentials.js';

describe('a secret', () => {
  it('is 256 random bits, of which only a hash is kept', () => {
    const { secret, hash } = newCredential();
    expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
    expect(hash.toString('base64url')).not.toBe(secret);
    expect(newCredential().secret).not.toBe(secret);
  });

  it('matches its own hash, and none when there is no client', () => {
    const { secret, hash } = newCredential();
    expect(secretMatches(secret, hash)).toBe(true);
    expect(secretMatches(`${secret}x`, hash)).toBe(false);
    expect(secretMatches(secret, undefined)).toBe(false);
  });
});

it("an agent's client id has its project in front, unless it serves all", () => {
  expect(agentClientId('proj-456', 'agent-001')).toBe('proj-456/agent-001');
  expect(agentClientId('*', 'agent-001')).toBe('agent-001');
});
