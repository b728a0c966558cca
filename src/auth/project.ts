import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiHeader, ApiQuery } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { PROJECT_HEADER } from '../platform/http/project-header.js';
import { DomainError, notFound, validationFailed } from '../shared/domain-error.js';
import { ANY_PROJECT, DEFAULT_PROJECT, ID_PATTERN } from '../shared/ids.js';
import type { Caller } from './caller.js';

/** Where a request may name a project, each as it was sent. */
export interface NamedProject {
  /** `project_id` of the body. */
  readonly body?: unknown;
  /** `project_id` of the query string. */
  readonly query?: unknown;
  /** `X-Project-Id`. */
  readonly header?: unknown;
}

/**
 * The project that a write goes to: a bound token's own; else the first named of body, query and header; else `fallback`.
 * @throws DomainError FORBIDDEN when a bound token names another project
 */
export function projectForWrite(
  caller: Caller,
  named: NamedProject,
  fallback: string = DEFAULT_PROJECT,
): string {
  const asked = firstNamed(named);
  if (caller.projectId === ANY_PROJECT) return asked ?? fallback;
  if (asked !== undefined && asked !== caller.projectId) {
    throw new DomainError('FORBIDDEN', 'This token belongs to another project.', {
      project_id: caller.projectId,
    });
  }
  return caller.projectId;
}

/**
 * The project that a read looks into, or `*` for all of them.
 * @throws DomainError NOT_FOUND when a bound token names another project: it does not exist for it
 */
export function projectForRead(caller: Caller, named: NamedProject): string {
  const asked = firstNamed(named);
  if (caller.projectId === ANY_PROJECT) return asked ?? ANY_PROJECT;
  if (asked !== undefined && asked !== caller.projectId) throw notFound('project', asked);
  return caller.projectId;
}

/** What the request says about its project, as a parameter of a route. */
export const Named = createParamDecorator(
  (_data: unknown, context: ExecutionContext): NamedProject => {
    const { body, query, headers } = context.switchToHttp().getRequest<FastifyRequest>();
    return { body: projectIdIn(body), query: projectIdIn(query), header: headers['x-project-id'] };
  },
  [documentNamed],
);

/** Shows in OpenAPI how a project is named. */
function documentNamed(target: object, method: string | symbol | undefined): void {
  const descriptor = method === undefined ? undefined : Object.getOwnPropertyDescriptor(target, method);
  if (method === undefined || descriptor === undefined) return;
  const shape = {
    required: false,
    description: 'Project, for tokens that see all.',
    schema: { type: 'string', pattern: ID_PATTERN.source },
  } as const;
  ApiQuery({ name: 'project_id', ...shape })(target, method, descriptor);
  ApiHeader({ name: PROJECT_HEADER, ...shape })(target, method, descriptor);
}

function projectIdIn(source: unknown): unknown {
  return typeof source === 'object' && source !== null && 'project_id' in source
    ? source.project_id
    : undefined;
}

function firstNamed({ body, query, header }: NamedProject): string | undefined {
  const named = [body, query, header].filter((one) => one !== undefined && one !== null);
  const ids = named.filter((one) => typeof one === 'string').filter((one) => ID_PATTERN.test(one));
  if (ids.length < named.length) throw validationFailed([{ path: '/project_id', message: 'is not an id' }]);
  return ids[0];
}
