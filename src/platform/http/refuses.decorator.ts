import { ApiExtension } from '@nestjs/swagger';
import type { ErrorCode } from '../../shared/error-codes.js';

export const REFUSES = 'x-refuses';

/**
 * Documents how a route can refuse, beyond what openapi.ts adds to every route: 400 where there is input, 401 and 403
 * where there is a scope, 413 and 415 where there is a body, 503.
 */
export function Refuses(...codes: ErrorCode[]): MethodDecorator {
  return ApiExtension(REFUSES, codes);
}
