import { describe, expect, it } from '@jest/globals';
import type { Caller } from './caller.js';
import { RecentTokens } from './recent-tokens.js';

const until = (expiresAt: number): Caller => ({
  clientId: 'c',
  projectId: 'p',
  scopes: new Set(),
  agentId: null,
  credentialId: null,
  expiresAt,
});

describe('recent tokens', () => {
  it('are remembered until they expire', () => {
    const recent = new RecentTokens(10);
    recent.set('a', until(1_000));
    expect(recent.get('a', 999)).toEqual(until(1_000));
    expect(recent.get('a', 1_000)).toBeUndefined();
    expect(recent.get('b', 0)).toBeUndefined();
  });

  it('make room for new ones: the one that was not used for longest goes', () => {
    const recent = new RecentTokens(2);
    recent.set('a', until(9));
    recent.set('b', until(9));
    recent.get('a', 0);
    recent.set('c', until(9));
    expect(['a', 'b', 'c'].filter((token) => recent.get(token, 0) !== undefined)).toEqual(['a', 'c']);
  });
});
