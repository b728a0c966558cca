import { type ArgumentsHost, Catch, type ExceptionFilter, NotFoundException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '../../shared/domain-error.js';
import type { AllowedMethods } from './allowed-methods.js';
import { sendRefusal } from './send-refusal.js';

/** The one place where a failed request gets its answer, whoever failed: a feature, Nest or Fastify. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(private readonly allowed: AllowedMethods) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    // Features refuse with DomainError, so this class means that no route was found.
    const shown = error instanceof NotFoundException ? this.noRoute(request, reply) : error;
    sendRefusal(shown, request, reply);
  }

  private noRoute(request: FastifyRequest, reply: FastifyReply): DomainError {
    const { method, url } = request;
    const allowed = this.allowed.of(url);
    // A route of files has the method, and not the file.
    if (allowed.length === 0 || allowed.includes(method))
      return new DomainError('NOT_FOUND', 'There is no such route.', { method });
    reply.header('Allow', allowed.join(', '));
    return new DomainError('METHOD_NOT_ALLOWED', `${method} is not possible here.`, { method, allowed });
  }
}
