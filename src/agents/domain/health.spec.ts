import { describe, expect, it } from '@jest/globals';
import { firstProbeAt, verdictOf, watched } from './health.js';

describe('what a health check answers', () => {
  it.each([200, 204, 299])('is healthy with %i', (status) => {
    expect(verdictOf(status)).toEqual({ health: 'healthy', reason: null });
  });

  it.each([301, 307, 404, 500, 503])('is unhealthy with %i, and says so', (status) => {
    expect(verdictOf(status)).toEqual({
      health: 'unhealthy',
      reason: `its health check answered ${status}`,
    });
  });
});

describe('the first probe', () => {
  const now = '2026-11-23T00:00:00.000Z';

  it.each([
    [30, 0, '2026-11-23T00:00:00.500Z'],
    [30, 1, '2026-11-23T00:00:05.000Z'],
    [1, 0, '2026-11-23T00:00:00.100Z'],
    [1, 1, '2026-11-23T00:00:01.000Z'],
  ])('comes soon after the registration, jittered: interval %i s, %d', (interval, random, at) => {
    expect(firstProbeAt(now, interval, random)).toBe(at);
  });
});

describe('what is known of an agent’s health', () => {
  const sick = {
    health_check_url: 'http://a/',
    health: 'unhealthy',
    health_reason: 'it answered 500',
  } as const;

  it('stays while the URL stays', () => {
    expect(watched(sick, 'http://a/', 'soon')).toEqual({
      health: 'unhealthy',
      health_reason: 'it answered 500',
      probe_at: 'soon',
    });
  });

  it('is nothing for a new URL, and for a new agent', () => {
    const nothing = { health: 'unknown', health_reason: null, probe_at: 'soon' };
    expect(watched(sick, 'http://b/', 'soon')).toEqual(nothing);
    expect(watched(undefined, 'http://b/', 'soon')).toEqual(nothing);
  });

  it('is nothing, and nobody asks, without a URL', () => {
    expect(watched(sick, null, 'soon')).toEqual({ health: 'unknown', health_reason: null, probe_at: null });
  });
});
