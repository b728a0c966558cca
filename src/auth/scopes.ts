/** Everything a token can be allowed to do (CONTRACT §2). */
export const SCOPES = [
  'agents:read',
  'agents:write',
  'tasks:read',
  'tasks:write',
  'tasks:execute',
  'workflows:read',
  'workflows:write',
  'events:read',
  'events:publish',
  'templates:read',
  'templates:write',
  'metrics:read',
  'admin',
] as const;

export type Scope = (typeof SCOPES)[number];

/** Implies every other scope. */
export const ADMIN: Scope = 'admin';

/** What an agent may do with the credentials it got at registration. */
export const AGENT_SCOPES: readonly Scope[] = [
  'agents:read',
  'tasks:read',
  'tasks:execute',
  'workflows:read',
  'events:read',
  'events:publish',
  'templates:read',
];

/** The scopes in a space-separated text, each once. Undefined if it holds anything else. */
export function parseScopes(text: string): Scope[] | undefined {
  const words = [...new Set(text.split(' ').filter((word) => word !== ''))];
  const scopes = words.flatMap((word) => SCOPES.find((scope) => scope === word) ?? []);
  return scopes.length === words.length ? scopes : undefined;
}

export function formatScopes(scopes: Iterable<Scope>): string {
  return [...scopes].join(' ');
}

/** Does holding `held` open what needs one of `needed`? */
export function allows(held: ReadonlySet<Scope>, needed: readonly string[]): boolean {
  return (
    held.has(ADMIN) || needed.some((scope) => SCOPES.some((known) => known === scope && held.has(known)))
  );
}

/**
 * The scopes of a token: what the client has, or the part of it that was asked for. Undefined when something was asked for
 * that the client does not have, or that does not exist.
 */
export function narrowScopes(held: readonly Scope[], requested: string | undefined): Scope[] | undefined {
  if (requested === undefined) return [...held];
  const asked = parseScopes(requested);
  const granted = asked?.filter((scope) => allows(new Set(held), [scope]));
  return granted !== undefined && granted.length > 0 && granted.length === asked?.length
    ? granted
    : undefined;
}
