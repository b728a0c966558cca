import { STATUS_CODES } from 'node:http';
import { ERROR_STATUS, type ErrorCode } from '../../shared/error-codes.js';
import { takesIdempotencyKey } from './openapi-idempotency.js';
import type { Operation } from './openapi-operations.js';
import { PROJECT_HEADER } from './project-header.js';
import { REFUSES } from './refuses.decorator.js';

type ResponseObject = Extract<Operation['responses'][string], { description: string }>;

const text = (description: string): { description: string; schema: { type: 'string' } } => ({
  description,
  schema: { type: 'string' },
});
const CORRELATION_HEADER = { 'X-Correlation-Id': text('Echoed, or made here.') };
const CURSOR_HEADER = {
  'X-Event-Cursor': text('The log before this read; `GET /api/v1/events` goes on from it.'),
};
const LOCATION_HEADER = { Location: text('Where it is to be read.') };
const RETRY_HEADER = { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' as const } } };

/** Adds to an operation every refusal that follows from what it is, and the headers that every answer has. */
export function documentAnswers(operation: Operation, path: string, method: string): void {
  for (const [status, response] of Object.entries(refusalsOf(operation, path, method)))
    operation.responses[status] ??= response;
  for (const [status, response] of Object.entries(operation.responses)) {
    if (response === undefined || !('description' in response)) continue;
    response.description ||= STATUS_CODES[status] ?? status;
    response.headers = {
      ...CORRELATION_HEADER,
      ...(method === 'get' && path.startsWith('/api/') ? CURSOR_HEADER : {}),
      ...(status === '201' ? LOCATION_HEADER : {}),
      ...response.headers,
    };
  }
}

function refusalsOf(operation: Operation, path: string, method: string): Record<string, ResponseObject> {
  const byStatus: Record<string, ErrorCode[]> = {};
  for (const code of codesOf(operation, path, method)) (byStatus[ERROR_STATUS[code]] ??= []).push(code);
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, codes]) => [status, refusal(Number(status), codes)]),
  );
}

function codesOf(operation: Operation, path: string, method: string): Set<ErrorCode> {
  const codes = new Set<ErrorCode>(['SERVICE_UNAVAILABLE']);
  const parameters = operation.parameters ?? [];
  if (path.startsWith('/api/')) codes.add('RATE_LIMIT_EXCEEDED');
  if (operation.security !== undefined) codes.add('AUTHENTICATION_FAILED').add('FORBIDDEN');
  // Any body is read before it is known that it is not wanted.
  if (method !== 'get') codes.add('PAYLOAD_TOO_LARGE').add('UNSUPPORTED_MEDIA_TYPE').add('VALIDATION_FAILED');
  if (parameters.length > 0) codes.add('VALIDATION_FAILED');
  // Another project does not exist for who may not see it.
  if (method === 'get' && parameters.some((one) => 'name' in one && one.name === PROJECT_HEADER))
    codes.add('NOT_FOUND');
  if (takesIdempotencyKey(operation, method)) codes.add('IDEMPOTENCY_KEY_REUSED').add('VALIDATION_FAILED');
  const extensions: Record<string, unknown> = { ...operation };
  const declared = extensions[REFUSES];
  // Only @Refuses writes this extension.
  for (const code of Array.isArray(declared) ? (declared as ErrorCode[]) : []) codes.add(code);
  Reflect.deleteProperty(operation, REFUSES);
  return codes;
}

function refusal(status: number, codes: readonly ErrorCode[]): ResponseObject {
  const examples = Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code) }]));
  return {
    description: codes.join(', '),
    ...(status === 429 || status === 503 ? { headers: RETRY_HEADER } : {}),
    content: {
      'application/json': { schema: { $ref: '#/components/schemas/ErrorResponse' }, examples },
      'application/problem+json': { schema: { $ref: '#/components/schemas/ProblemResponse' } },
    },
  };
}

function exampleOf(code: ErrorCode): unknown {
  const details = code === 'VALIDATION_FAILED' ? { errors: [{ path: '/id', message: 'is required' }] } : {};
  return {
    error: {
      code,
      message: 'What went wrong, for people.',
      details,
      correlation_id: '01934b1c-7a52-7c3e-9d6f-0a1b2c3d4e5f',
      timestamp: '2025-01-15T12:00:00.000Z',
    },
  };
}
