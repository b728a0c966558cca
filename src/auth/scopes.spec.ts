import { describe, expect, it } from '@jest/globals';
import { AGENT_SCOPES, allows, narrowScopes, parseScopes, SCOPES } from './scopes.js';

describe('scopes', () => {
  it('are read from a space-separated text, each once', () => {
    expect(parseScopes('tasks:read  tasks:write tasks:read')).toEqual(['tasks:read', 'tasks:write']);
    expect(parseScopes('')).toEqual([]);
    expect(parseScopes('tasks:read tasks:fly')).toBeUndefined();
  });

  it('open what needs one of them, and admin opens everything', () => {
    const agent = new Set(AGENT_SCOPES);
    expect(allows(agent, ['tasks:write', 'tasks:execute'])).toBe(true);
    expect(allows(agent, ['tasks:write'])).toBe(false);
    expect(allows(agent, [])).toBe(false);
    for (const scope of SCOPES) expect(allows(new Set(['admin']), [scope])).toBe(true);
    for (const scope of SCOPES) expect(allows(new Set(), [scope])).toBe(false);
  });

  it('are narrowed to what a token asks for, and to nothing more', () => {
    expect(narrowScopes(['tasks:read', 'tasks:write'], undefined)).toEqual(['tasks:read', 'tasks:write']);
    expect(narrowScopes(['tasks:read', 'tasks:write'], 'tasks:read')).toEqual(['tasks:read']);
    expect(narrowScopes(['admin'], 'tasks:read events:read')).toEqual(['tasks:read', 'events:read']);
    expect(narrowScopes(['tasks:read'], 'tasks:read tasks:write')).toBeUndefined();
    expect(narrowScopes(['tasks:read'], 'admin')).toBeUndefined();
    expect(narrowScopes(['tasks:read'], 'nonsense')).toBeUndefined();
    expect(narrowScopes(['tasks:read'], ' ')).toBeUndefined();
  });
});
