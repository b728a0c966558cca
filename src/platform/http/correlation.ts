import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage } from 'node:http';
import { newId } from '../new-id.js';

const current = new AsyncLocalStorage<string>();

const VISIBLE = /^[\x21-\x7e]{1,128}$/;

/** The caller's X-Correlation-Id if it is 1 to 128 visible characters, else a new one. */
export function correlationIdOf(request: IncomingMessage): string {
  const given = request.headers['x-correlation-id'];
  return typeof given === 'string' && VISIBLE.test(given) ? given : newId();
}

/** The caller's own X-Correlation-Id; undefined where the one of the request was only made here. */
export function givenCorrelationId(request: {
  readonly id: string;
  readonly headers: IncomingMessage['headers'];
}): string | undefined {
  return request.headers['x-correlation-id'] === request.id ? request.id : undefined;
}

/** Runs `work` so that everything it starts, and every line it logs, knows the correlation id. */
export function runCorrelated<T>(correlationId: string, work: () => T): T {
  return current.run(correlationId, work);
}

/** The correlation id of the request or message that is being served; undefined in background work. */
export function currentCorrelationId(): string | undefined {
  return current.getStore();
}
