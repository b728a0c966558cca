import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { DomainError, validationFailed } from '../../shared/domain-error.js';
import { parseJson } from './json-body.js';

/** Bodies are JSON, and forms where a route says so; anything else is 415. An empty body is no body. */
export function installBodyParsers(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  const take = (type: string, parse: (text: string, request: FastifyRequest) => unknown): void => {
    fastify.addContentTypeParser<Buffer>(type, { parseAs: 'buffer' }, (request, bytes, done) => {
      try {
        done(null, parse(textOf(bytes, request), request));
      } catch (error) {
        done(toError(error));
      }
    });
  };
  take('application/json', (text) => (text === '' ? undefined : parseJson(text)));
  take('application/x-www-form-urlencoded', (text, request) => {
    if (request.routeOptions.config.takesForms === true) return parseForm(text);
    throw unsupported('The body must be JSON (Content-Type: application/json).');
  });
}

/** @throws DomainError for what is compressed, or is not UTF-8: read anyway, it would be kept as something else */
function textOf(bytes: Buffer, request: FastifyRequest): string {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() !== 'identity')
    throw unsupported('The body must not be compressed (no Content-Encoding).');
  if (!isUtf8(bytes)) throw validationFailed([{ path: '', message: 'the body is not valid UTF-8' }]);
  return bytes.toString();
}

function unsupported(message: string): DomainError {
  return new DomainError('UNSUPPORTED_MEDIA_TYPE', message);
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
