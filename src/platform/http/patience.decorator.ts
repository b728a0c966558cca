import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Patience } from './patience.js';

/** What ends a long poll: the client has gone, or the server is stopping. */
export const WithPatience = createParamDecorator(
  (_data: unknown, context: ExecutionContext): Patience =>
    context.switchToHttp().getRequest<FastifyRequest>().patience,
);
