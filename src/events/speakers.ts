import { Injectable } from '@nestjs/common';
import { allows, type Caller } from '../auth/index.js';
import { DomainError } from '../shared/domain-error.js';
import { rowKey } from '../shared/ids.js';
import { AddressBook } from './address-book.js';

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
   * @throws DomainError FORBIDDEN for somebody else's name · NOT_FOUND for a name that nobody has
   */
  async of(caller: Caller, projectId: string, named: string | null | undefined): Promise<Speaker> {
    const agentId = named ?? caller.agentId;
    if (agentId === null) return { agentId: null, mailbox: null };
    if (agentId === caller.agentId) return { agentId, mailbox: mailboxOf(caller) };
    if (caller.agentId !== null || !allows(caller.scopes, ['agents:write'])) {
      const problem = `Only agent '${agentId}' itself, or a client with agents:write, speaks in its name.`;
      throw new DomainError('FORBIDDEN', problem, { agent_id: agentId });
    }
    return { agentId, mailbox: await this.addresses.mailbox(projectId, agentId) };
  }
}

/** An agent's own mailbox; null for other clients. */
export function mailboxOf({ agentId, projectId }: Caller): string | null {
  return agentId === null ? null : rowKey(projectId, agentId);
}
