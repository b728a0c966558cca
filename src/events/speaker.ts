import { allows, type Caller } from '../auth/index.js';
import { DomainError } from '../shared/domain-error.js';
import type { MailboxKey } from './persistence/mailbox-rows.js';

/** May the caller act in the name of an agent that it sees? An agent for itself alone, a client with `agents:write` for any. */
function maySpeakFor(caller: Caller, { agentId, projectId }: MailboxKey): boolean {
  if (caller.agentId !== null) return caller.agentId === agentId && caller.projectId === projectId;
  return allows(caller.scopes, ['agents:write']);
}

/** @throws DomainError FORBIDDEN for somebody else's agent */
export function assertMaySpeakFor(caller: Caller, agent: MailboxKey): void {
  if (maySpeakFor(caller, agent)) return;
  throw new DomainError('FORBIDDEN', `Agent '${agent.agentId}' is somebody else's.`, {
    agent_id: agent.agentId,
  });
}
