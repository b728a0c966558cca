import type { FastifyRequest } from 'fastify';
import { allows, type Caller } from '../auth/index.js';
import { DomainError, validationFailed } from '../shared/domain-error.js';
import type { Edit } from './domain/lifecycle.js';
import type { Actor, FencedReport } from './tasks.service.js';
import type { UpdateTaskDto } from './dto/report-task.dto.js';

export function actorOf(caller: Caller): Actor {
  return { agentId: caller.agentId, projectId: caller.projectId };
}

/** What a request weighs, for the bounds of batch and queue. */
export function sizeOf(request: FastifyRequest): number {
  return Number(request.headers['content-length'] ?? 0) + 512;
}

const EDITS = ['priority', 'not_before', 'timeout', 'metadata'] as const;

/**
 * The seed's PATCH is two things: a report by whoever holds the lease, or an edit while the task waits.
 * @param leaseToken that of the header X-Lease-Token; one in the body goes before it
 * @throws DomainError VALIDATION_FAILED for both at once or for neither, FORBIDDEN without the scope for it
 */
export function changeOf(
  caller: Caller,
  body: UpdateTaskDto,
  leaseToken?: string,
): { kind: 'edit'; edit: Edit } | { kind: 'report'; report: FencedReport } {
  const { priority: _p, not_before: _n, timeout: _t, metadata: _m, ...report } = body;
  const edits = EDITS.filter((name) => body[name] !== undefined);
  const told = Object.values(report).some((value) => value !== undefined);
  if (edits.length > 0 && told) {
    throw validationFailed(
      edits.map((name) => ({ path: `/${name}`, message: 'cannot be edited in a report' })),
    );
  }
  if (edits.length === 0) {
    if (!told)
      throw validationFailed([
        { path: '', message: 'says nothing: give a status, progress, or a field to edit' },
      ]);
    if (!allows(caller.scopes, ['tasks:execute']))
      throw new DomainError('FORBIDDEN', 'Reports need the scope tasks:execute.');
    return { kind: 'report', report: { ...report, lease_token: report.lease_token ?? leaseToken } };
  }
  if (!allows(caller.scopes, ['tasks:write']))
    throw new DomainError('FORBIDDEN', 'Edits need the scope tasks:write.');
  return { kind: 'edit', edit: Object.fromEntries(edits.map((name) => [name, body[name]])) };
}
