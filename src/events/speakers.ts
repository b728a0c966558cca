import { Injectable } from '@nestjs/common';
import { allows, type Caller } from '../auth/index.js';
import { DomainError } from '../shared/domain-error.js';
import { rowKey } from '../shared/ids.js';
import { AddressBook } from './address-book.js';
import type { MailboxKey } from './persistence/mailbox-rows.js';

/** In whose name something is said; both null: in nobody's. */
export interface Speaker {
  readonly agentId: string | null;
  readonly mailbox: string | null;
}

/** Who may speak as which agent: an agent as itself alone, a client with `agents:write` as every agent that it sees. */
@Injectable()
export class Speakers {
  constructor(private readonly addresses: AddressBook) {}

  /**
   * @param named the agent that the caller says it speaks as; without one an agent speaks as itself, a client as nobody
   * @throws DomainError NOT_FOUND for a name that nobody has · FORBIDDEN for somebody else's
   */
  async of(caller: Caller, projectId: string, named: string | null | undefined): Promise<Speaker> {
    const agentId = named ?? caller.agentId;
    if (agentId === null) return { agentId: null, mailbox: null };
    if (agentId === caller.agentId) return { agentId, mailbox: mailboxOf(caller) };
    const agent = await this.addresses.find(projectId, agentId);
    assertMaySpeakFor(caller, agent);
    return { agentId, mailbox: rowKey(agent.projectId, agentId) };
  }
}

/** An agent's own mailbox; null for other clients. */
export function mailboxOf({ agentId, projectId }: Caller): string | null {
  return agentId === null ? null : rowKey(projectId, agentId);
}

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
