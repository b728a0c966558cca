import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { DomainError, validationFailed } from '../../shared/domain-error.js';
import type { Drain } from '../health/drain.service.js';
import type { EventCursor } from './event-cursor.port.js';
import { Patience } from './patience.js';
import { sendRefusal } from './send-refusal.js';

declare module 'fastify' {
  interface FastifyRequest {
    patience: Patience;
  }
}

/** A request is answered within this time, in ms (CONTRACT §1). */
const DEADLINE_MS = 30_000;

/** What happens to every request before and after its route, errors and unknown routes included. */
export function installHooks(
  fastify: FastifyInstance,
  { log, drain, cursor }: { log: Logger; drain: Drain; cursor: EventCursor | undefined },
): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    reply.header('X-Correlation-Id', request.id);
    if (request.raw.httpVersion === '1.1' && request.raw.headers.host === undefined) {
      done(validationFailed([{ path: '', message: 'the Host header is missing' }]));
      return;
    }
    if (drain.started && !request.url.startsWith('/health/')) {
      reply.header('Connection', 'close');
      done(new DomainError('SERVICE_UNAVAILABLE', 'The server is stopping; another one will answer.'));
      return;
    }
    drain.entered(reply);
    const patience = new Patience();
    const end = (): void => patience.end();
    const forget = drain.onStart(end);
    request.patience = patience;
    const deadline = setTimeout(() => {
      end();
      // A stream that has begun ends by itself.
      if (!reply.sent) sendRefusal(overdue(), request, reply);
    }, DEADLINE_MS);
    reply.raw.once('close', () => {
      clearTimeout(deadline);
      forget();
      if (!reply.raw.writableFinished) end();
      drain.left(reply);
    });
    if (cursor !== undefined && request.method === 'GET' && request.url.startsWith('/api/')) {
      reply.header('X-Event-Cursor', cursor.current());
    }
    done();
  });

  fastify.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url;
    const line = {
      method: request.method,
      route,
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      correlation_id: request.id,
    };
    // Probes come every few seconds and say nothing.
    if (route?.startsWith('/health/') === true) log.debug(line, 'request');
    else log.info(line, 'request');
    done();
  });
}

function overdue(): DomainError {
  return new DomainError('SERVICE_UNAVAILABLE', 'The request was not answered within its deadline.', {
    retry_after: 1,
  });
}
