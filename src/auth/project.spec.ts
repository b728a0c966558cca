import { describe, expect, it } from '@jest/globals';
import type { Caller } from './caller.js';
import { projectForRead, projectForWrite } from './project.js';

const callerOf = (projectId: string): Caller => ({
  clientId: 'c',
  projectId,
  scopes: new Set(),
  agentId: null,
  credentialId: null,
  expiresAt: 0,
});
const bound = callerOf('p-1');
const free = callerOf('*');

describe('the project of a write', () => {
  it("is a bound token's own, named or not", () => {
    expect(projectForWrite(bound, {})).toBe('p-1');
    expect(projectForWrite(bound, { body: 'p-1', header: 'p-1' })).toBe('p-1');
  });

  it.each(['body', 'query', 'header'])('is refused when a bound token names another in the %s', (place) => {
    expect(() => projectForWrite(bound, { [place]: 'p-2' })).toThrow('another project');
  });

  it('is what a free token names: body before query before header before default', () => {
    expect(projectForWrite(free, { body: 'b', query: 'q', header: 'h' })).toBe('b');
    expect(projectForWrite(free, { query: 'q', header: 'h' })).toBe('q');
    expect(projectForWrite(free, { body: null, header: 'h' })).toBe('h');
    expect(projectForWrite(free, {})).toBe('default');
    expect(projectForWrite(free, {}, '*')).toBe('*');
  });

  it.each(['', '*', 'a b', 'a\0', ['p-1', 'p-2'], 7])('cannot be called %j', (name) => {
    expect(() => projectForWrite(free, { query: name })).toThrow('/project_id: is not an id');
    expect(() => projectForRead(bound, { header: name })).toThrow('/project_id: is not an id');
  });
});

describe('the project of a read', () => {
  it("is a bound token's own; another does not exist for it", () => {
    expect(projectForRead(bound, {})).toBe('p-1');
    expect(projectForRead(bound, { query: 'p-1' })).toBe('p-1');
    expect(() => projectForRead(bound, { query: 'p-2' })).toThrow("There is no project 'p-2' here.");
  });

  it('is every project for a free token that names none', () => {
    expect(projectForRead(free, {})).toBe('*');
    expect(projectForRead(free, { header: 'p-2' })).toBe('p-2');
  });
});
