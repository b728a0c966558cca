import { DomainError, notFound } from './domain-error.js';

/**
 * The one project that has a thing of this id, for callers that see all projects and name none.
 * @throws DomainError NOT_FOUND, or CONFLICT listing the projects when the id is in several (CONTRACT §2)
 */
export function onlyProject(what: string, id: string, projects: readonly string[]): string {
  const [only, ...more] = projects;
  if (only === undefined) throw notFound(what, id);
  if (more.length === 0) return only;
  throw new DomainError('CONFLICT', `Several projects have a ${what} '${id}'; name the project_id.`, {
    projects,
  });
}
