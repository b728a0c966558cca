import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { DomainError } from '../shared/domain-error.js';
import type { Scope } from './scopes.js';

/** Who calls, as its verified token says. */
export interface Caller {
  readonly clientId: string;
  /** The one project it sees, or `*`. */
  readonly projectId: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Set for agents: the agent that calls for itself. */
  readonly agentId: string | null;
  /** Of the client's secrets the one that the token was made for; null in a token that does not say. */
  readonly credentialId: string | null;
  /** When the token ends, process time in ms. */
  readonly expiresAt: number;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before the body is read, on routes that need a scope. */
    caller?: Caller;
  }
}

/** The caller, as a parameter of a route that declares its scopes. */
export const Caller = createParamDecorator((_data: unknown, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<FastifyRequest>();
  if (caller === undefined) throw new DomainError('AUTHENTICATION_FAILED', 'A bearer token is required.');
  return caller;
});
