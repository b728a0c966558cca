import { Logger } from '@nestjs/common';
import type { DomainError } from '../../shared/domain-error.js';
import { toDomainError } from './error-mapping.js';

const logger = new Logger('Errors');

/**
 * What a client is told of anything that was thrown. A defect of ours tells it nothing: the log has it, with its stack.
 * @param correlationId the client is told it too, and finds the line by it
 */
export function loggedRefusal(error: unknown, correlationId: string): DomainError {
  const refusal = toDomainError(error);
  if (refusal.code === 'INTERNAL_ERROR') logger.error(error, { correlation_id: correlationId });
  return refusal;
}
