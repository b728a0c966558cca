import type { FastifyReply, FastifyRequest } from 'fastify';
import { ERROR_STATUS } from '../../shared/error-codes.js';
import { errorBody, problemBody, retryAfterOf } from './error-body.js';
import { loggedRefusal } from './logged-refusal.js';

const PROBLEM = 'application/problem+json';

/** Answers a failed request with the standard envelope, or with the shape that its route prescribes. */
export function sendRefusal(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const refusal = loggedRefusal(error, request.id);
  if (reply.sent) return;
  reply.header('X-Correlation-Id', request.id);
  const retryAfter = retryAfterOf(refusal);
  if (retryAfter !== undefined) reply.header('Retry-After', Math.ceil(retryAfter));
  const ownShape = request.routeOptions.config.showRefusal?.(refusal, request);
  if (ownShape !== undefined) {
    void reply.code(ownShape.status).headers(ownShape.headers).send(ownShape.body);
    return;
  }
  const status = ERROR_STATUS[refusal.code];
  if (status === 401) reply.header('WWW-Authenticate', 'Bearer');
  const body = errorBody(refusal, request.id);
  if (request.headers.accept?.includes(PROBLEM) !== true) {
    void reply.code(status).type('application/json; charset=utf-8').send(body);
    return;
  }
  // Fastify serialises objects for application/json only.
  void reply
    .code(status)
    .type(PROBLEM)
    .send(JSON.stringify(problemBody(body, status, request.url)));
}
