import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { DomainError, validationFailed } from '../../shared/domain-error.js';
import { ERROR_STATUS } from '../../shared/error-codes.js';
import { newId } from '../new-id.js';
import { errorBody } from './error-body.js';

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** The last request that came over each connection. */
const latest = new WeakMap<Duplex, Exchange>();

/** Keeps what {@link sendSocketRefusal} needs to know, and answers what Node does not hand on as a request. */
export function watchConnections(server: Server): void {
  server.on('request', (request, response) => latest.set(request.socket, { request, response }));
  // An expectation that is not known may be ignored (RFC 9110 §10.1.1); Node alone would answer 417 without a body.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  server.on('connect', (_request, socket: Duplex) => {
    socket.on('error', () => socket.destroy());
    refuse(socket, validationFailed([{ path: '', message: 'CONNECT is for proxies, and this is none' }]));
  });
}

/** Answers what is no HTTP request, on the socket itself: Node gives no response object for it. */
export function sendSocketRefusal(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const before = latest.get(socket);
  // What came whole has its answer first: this one would be taken for it, and a success for a failure.
  if (before?.request.complete === true && !before.response.writableFinished)
    before.response.once('close', () => refuse(socket, socketRefusal(error.code)));
  else refuse(socket, socketRefusal(error.code));
}

function refuse(socket: Duplex, refusal: DomainError): void {
  // Destroying it at once could cut the answer off; a client that stays is not waited for.
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
  if (!socket.writable) return;
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

const LINGER_MS = 1_000;

function socketRefusal(code: string | undefined): DomainError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new DomainError('PAYLOAD_TOO_LARGE', 'The URL and the headers are larger than 16 KiB.');
  const message =
    code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'the request did not arrive in time' : 'this is not HTTP';
  return validationFailed([{ path: '', message }]);
}
