import type { FastifyRequest } from 'fastify';
import { type Caller, type NamedProject, projectForWrite } from '../auth/index.js';
import { givenCorrelationId } from '../platform/http/correlation.js';

/** What surrounds something that a client posts. */
export interface Posting {
  readonly projectId: string;
  /** The one that the request carried; what is posted may name another. */
  readonly correlationId: string | undefined;
  /** Its size, for the bounds of batch and queue. */
  readonly bytes: number;
}

const OVERHEAD = 512;

export function postedOverHttp(caller: Caller, named: NamedProject, request: FastifyRequest): Posting {
  return {
    projectId: projectForWrite(caller, named),
    correlationId: givenCorrelationId(request),
    bytes: sizeOf(request),
  };
}

export function postedOverSocket(caller: Caller, projectId: string | undefined, body: object): Posting {
  return {
    projectId: projectForWrite(caller, { body: projectId }),
    correlationId: undefined,
    bytes: bytesOf(body),
  };
}

/** What a request weighs, for the bounds of batch and queue. */
export function sizeOf({ headers }: FastifyRequest): number {
  return Number(headers['content-length'] ?? 0) + OVERHEAD;
}

/** The same of what came over a socket. */
export function bytesOf(body: object): number {
  return JSON.stringify(body).length + OVERHEAD;
}
