import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { DomainError } from '../../shared/domain-error.js';
import type { Drain } from '../health/drain.service.js';
import { runCorrelated } from './correlation.js';
import type { EventCursor } from './event-cursor.port.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Aborted when nobody waits for the answer any more, or the server is stopping. */
    patience: AbortSignal;
  }
}

/** What happens to every request before and after its route, errors and unknown routes included. */
export function installHooks(
  fastify: FastifyInstance,
  { log, drain, cursor }: { log: Logger; drain: Drain; cursor: EventCursor | undefined },
): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    reply.header('X-Correlation-Id', request.id);
    if (drain.started && !request.url.startsWith('/health/')) {
      reply.header('Connection', 'close');
      done(new DomainError('SERVICE_UNAVAILABLE', 'The server is stopping; another one will answer.'));
      return;
    }
    drain.entered(reply);
    const patience = new AbortController();
    const forget = drain.onStart(() => patience.abort());
    request.patience = patience.signal;
    reply.raw.once('close', () => {
      forget();
      if (!reply.raw.writableFinished) patience.abort();
      drain.left(reply);
    });
    if (cursor !== undefined && request.method === 'GET' && request.url.startsWith('/api/')) {
      reply.header('X-Event-Cursor', cursor.current());
    }
    runCorrelated(request.id, done);
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
