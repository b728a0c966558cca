import type { Operation } from './openapi-operations.js';

const PARAMETER = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'Yours alone, per method and path; a UUID serves. For 24 h the same request under the same key is done once: again, ' +
    'it gets the same answer, with `Idempotency-Replayed: true`. A refusal changed nothing and is not kept.',
  schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]+$' },
} as const;

const REPLAYED = {
  'Idempotency-Replayed': {
    description: '`true`: this was done before, under the same Idempotency-Key.',
    schema: { type: 'string', pattern: '^true$' },
  },
} as const;

/** Every POST by a known client takes a key. */
export function takesIdempotencyKey(operation: Operation, method: string): boolean {
  return method === 'post' && operation.security !== undefined;
}

export function documentIdempotency(operation: Operation, method: string): void {
  if (!takesIdempotencyKey(operation, method)) return;
  operation.parameters = [...(operation.parameters ?? []), PARAMETER];
  for (const [status, response] of Object.entries(operation.responses)) {
    if (!status.startsWith('2') || response === undefined || !('description' in response)) continue;
    response.headers = { ...response.headers, ...REPLAYED };
  }
}
