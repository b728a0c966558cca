import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** An AbortSignal that ends a long poll: the client has gone, or the server is stopping. */
export const Patience = createParamDecorator(
  (_data: unknown, context: ExecutionContext): AbortSignal =>
    context.switchToHttp().getRequest<FastifyRequest>().patience.signal,
);
