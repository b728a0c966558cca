import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Origin as ChangeOrigin } from '../agent-events.js';

/** Where a requested change comes from. A correlation id that was only made for this request is not the caller's. */
export const Origin = createParamDecorator((_data: unknown, context: ExecutionContext): ChangeOrigin => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  const given = request.headers['x-correlation-id'] === request.id;
  return { sourceAgent: request.caller?.agentId ?? null, correlationId: given ? request.id : null };
});
