import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { givenCorrelationId } from '../../platform/http/correlation.js';
import type { Origin as ChangeOrigin } from '../agent-events.js';

/** Where a requested change comes from. */
export const Origin = createParamDecorator((_data: unknown, context: ExecutionContext): ChangeOrigin => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  return {
    sourceAgent: request.caller?.agentId ?? null,
    correlationId: givenCorrelationId(request) ?? null,
  };
});
