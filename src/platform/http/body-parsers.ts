import type { FastifyInstance } from 'fastify';
import { DomainError, validationFailed } from '../../shared/domain-error.js';
import { parseJson } from './json-body.js';

/** Bodies are JSON, and forms where a route says so; anything else is 415. An empty body is no body. */
export function installBodyParsers(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (_request, text, done) => {
    try {
      done(null, text === '' ? undefined : parseJson(text));
    } catch (error) {
      done(toError(error));
    }
  });
  fastify.addContentTypeParser<string>(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (request, text, done) => {
      try {
        if (request.routeOptions.config.takesForms !== true) {
          throw new DomainError(
            'UNSUPPORTED_MEDIA_TYPE',
            'The body must be JSON (Content-Type: application/json).',
          );
        }
        done(null, parseForm(text));
      } catch (error) {
        done(toError(error));
      }
    },
  );
}

function parseForm(text: string): Record<string, string> {
  const fields = [...new URLSearchParams(text)];
  if (new Set(fields.map(([name]) => name)).size < fields.length) {
    throw validationFailed([{ path: '', message: 'the form names a field twice' }]);
  }
  return Object.fromEntries(fields);
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
