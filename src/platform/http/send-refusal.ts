import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError, validationFailed } from '../../shared/domain-error.js';
import { ERROR_STATUS } from '../../shared/error-codes.js';
import { newId } from '../new-id.js';
import { errorBody, problemBody, retryAfterOf } from './error-body.js';
import { isDefect, toDomainError } from './error-mapping.js';

const PROBLEM = 'application/problem+json';
const logger = new Logger('Errors');

/** Answers a failed request with the standard envelope, or with the shape that its route prescribes. */
export function sendRefusal(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const refusal = toDomainError(error);
  if (isDefect(refusal)) logger.error(error);
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

/** Answers what is no HTTP request, on the socket itself: Node gives no response object for it. */
export function sendSocketRefusal(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  // Destroying it at once could cut the answer off; a client that stays is not waited for.
  socket.setTimeout(1_000, () => socket.destroy());
  const refusal = socketRefusal(error.code);
  const correlationId = newId();
  const status = ERROR_STATUS[refusal.code];
  const body = JSON.stringify(errorBody(refusal, correlationId));
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Correlation-Id: ${correlationId}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

function socketRefusal(code: string | undefined): DomainError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new DomainError('PAYLOAD_TOO_LARGE', 'The headers are larger than 16 KiB.');
  const message =
    code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'the request did not arrive in time' : 'this is not HTTP';
  return validationFailed([{ path: '', message }]);
}
