import type { IncomingMessage } from 'node:http';
import { newId } from '../new-id.js';

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
