import { describe, expect, it } from '@jest/globals';
import { livenessAt, overdue } from './liveness.js';

const LEASE = 90;
const seen = Date.parse('2025-01-15T12:00:00.000Z');
const leaseUntil = new Date(seen + LEASE * 1000).toISOString();
const after = (seconds: number): string => new Date(seen + seconds * 1000).toISOString();

describe('an agent that should call every 30 s', () => {
  it.each([
    [0, 'active'],
    [30, 'active'],
    [45, 'active'],
    [45.001, 'suspect'],
    [90, 'suspect'],
    [90.001, 'offline'],
  ])('is, %d s after its last call, %s', (seconds, liveness) => {
    expect(livenessAt(leaseUntil, after(seconds), LEASE)).toBe(liveness);
  });

  it('is judged by its lease, so an outage of ours that was credited to it does not count', () => {
    const credited = new Date(Date.parse(leaseUntil) + 600_000).toISOString();
    expect(livenessAt(credited, after(640), LEASE)).toBe('active');
  });

  it('is told once of what it missed', () => {
    const agent = { liveness: 'active', lease_until: leaseUntil } as const;
    expect(overdue(agent, after(10), LEASE)).toBeUndefined();
    expect(overdue(agent, after(50), LEASE)).toBe('miss_one');
    expect(overdue({ ...agent, liveness: 'suspect' }, after(50), LEASE)).toBeUndefined();
    expect(overdue(agent, after(100), LEASE)).toBe('miss_three');
    expect(overdue({ ...agent, liveness: 'suspect' }, after(100), LEASE)).toBe('miss_three');
    expect(overdue({ ...agent, liveness: 'offline' }, after(100), LEASE)).toBeUndefined();
  });
});
