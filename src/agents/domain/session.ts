import { DomainError } from '../../shared/domain-error.js';
import type { AgentRow } from './agent.js';

/**
 * An older process of the same agent does no harm: what it says under its own epoch is refused.
 * @param named the epoch that the call names; a call that names none is of the present session
 * @throws DomainError STALE_SESSION
 */
export function assertSession(
  { id, session_epoch: epoch }: Pick<AgentRow, 'id' | 'session_epoch'>,
  named: number | undefined,
): void {
  if (named === undefined || named >= epoch) return;
  const message = `Agent '${id}' has begun session ${epoch}; session ${named} is over. End this process, or register anew.`;
  throw new DomainError('STALE_SESSION', message, { session_epoch: epoch });
}
