import { type CanActivate, type ExecutionContext, Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { DomainError } from '../shared/domain-error.js';
import { allows } from './scopes.js';
import { Tokens } from './tokens.service.js';

/**
 * Lets a request in by the scopes that its route declares. Nest runs guards after the body is parsed, but 401 and 403 come
 * before 400 (CONTRACT §1), and strangers should not have bodies parsed: so the check is a hook, and the guard only
 * closes the routes that declare nothing.
 */
@Injectable()
export class AccessGuard implements CanActivate, OnModuleInit {
  constructor(
    private readonly host: HttpAdapterHost<FastifyAdapter>,
    private readonly tokens: Tokens,
  ) {}

  onModuleInit(): void {
    const fastify = this.host.httpAdapter.getInstance();
    fastify.decorateRequest('caller');
    fastify.addHook('onRequest', async (request) => this.admit(request));
  }

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (request.routeOptions.config.scopes !== undefined) return true;
    throw new DomainError('FORBIDDEN', 'This route is closed: it declares no scope.');
  }

  private async admit(request: FastifyRequest): Promise<void> {
    const { scopes = [] } = request.routeOptions.config;
    if (scopes.length === 0) return;
    const caller = await this.tokens.authenticate(bearerOf(request));
    if (!allows(caller.scopes, scopes)) {
      throw new DomainError('FORBIDDEN', `This needs the scope ${scopes.join(' or ')}.`, {
        required: scopes,
      });
    }
    request.caller = caller;
  }
}

/** For browsers' EventSource, which sends no headers of ours. */
function queryToken({ query }: FastifyRequest): string | undefined {
  const token = typeof query === 'object' && query !== null && 'access_token' in query && query.access_token;
  return typeof token === 'string' ? token : undefined;
}

function bearerOf(request: FastifyRequest): string {
  const [, given] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
  const token =
    given ?? (request.routeOptions.config.takesQueryToken === true ? queryToken(request) : undefined);
  if (token === undefined) throw new DomainError('AUTHENTICATION_FAILED', 'A bearer token is required.');
  return token;
}
