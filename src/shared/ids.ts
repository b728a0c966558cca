/** What an id may look like, client-chosen or made here (CONTRACT §1). */
export const ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** A type of tasks or agents: one segment of a topic, so it has no dots. */
export const TYPE_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;

/** The project of a token that belongs to none: it sees every project. */
export const ANY_PROJECT = '*';

/** Where writes go when neither the token, the body nor a header names a project. */
export const DEFAULT_PROJECT = 'default';

/** A row's key as one string, for maps: ids hold no space. */
export function rowKey(projectId: string, id: string): string {
  return `${projectId} ${id}`;
}
