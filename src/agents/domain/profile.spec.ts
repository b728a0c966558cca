import { describe, expect, it } from '@jest/globals';
import { assertProfile, capacityOf, changedFields } from './profile.js';

describe('what an agent says of itself', () => {
  it('holds its capacity in max_concurrent_tasks', () => {
    expect(capacityOf({ max_concurrent_tasks: 5 })).toBe(5);
    expect(capacityOf({})).toBe(100);
  });

  it('may be anything else it likes', () => {
    expect(() => assertProfile({})).not.toThrow();
    expect(() =>
      assertProfile({ configuration: { a: 1 }, health_check_url: 'http://agent-001:8080/health' }),
    ).not.toThrow();
    expect(() => assertProfile({ health_check_url: null })).not.toThrow();
  });

  it.each([0, 1001, 1.5, '5', null, true])('is refused with a capacity of %j', (capacity) => {
    expect(() => assertProfile({ configuration: { max_concurrent_tasks: capacity } })).toThrow(
      '/configuration/max_concurrent_tasks',
    );
  });

  it.each(['ftp://a/b', 'agent-001:8080', 'http://', 'https://a b/', 'file:///etc/passwd', 'javascript:1'])(
    'is refused with the health check URL %s',
    (url) => {
      expect(() => assertProfile({ health_check_url: url })).toThrow('/health_check_url');
    },
  );
});

describe('what a change of it changes', () => {
  const before = {
    name: 'Code Generator',
    version: null,
    capabilities: ['javascript', 'react'],
    health_check_url: null,
    configuration: { a: 1, b: { c: [1, 2] } },
    metadata: null,
  };

  it('is what is said and differs, whatever the order of keys', () => {
    expect(changedFields(before, {})).toEqual([]);
    expect(changedFields(before, { ...before, configuration: { b: { c: [1, 2] }, a: 1 } })).toEqual([]);
    expect(
      changedFields(before, { name: 'Other', version: '1', capabilities: ['react', 'javascript'] }),
    ).toEqual(['name', 'version', 'capabilities']);
    expect(changedFields(before, { configuration: { a: 1, b: { c: { 0: 1, 1: 2 } } } })).toEqual([
      'configuration',
    ]);
    expect(changedFields(before, { metadata: {}, name: null })).toEqual(['metadata', 'name']);
  });
});
