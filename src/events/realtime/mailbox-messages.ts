import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DomainError } from '../../shared/domain-error.js';
import { AckDto } from '../ack.dto.js';
import { Mailboxes } from '../mailboxes.service.js';
import { Messages } from './messages.js';

/** What an agent says about its mailbox over its socket. */
@Injectable()
export class MailboxMessages implements OnModuleInit {
  constructor(
    private readonly messages: Messages,
    private readonly mailboxes: Mailboxes,
  ) {}

  onModuleInit(): void {
    this.messages.register({
      name: 'ack',
      about: 'Acknowledges all of this agent’s mailbox up to a cursor; never backwards',
      scopes: ['events:read'],
      dto: AckDto,
      handle: ({ caller: { agentId, projectId } }, { cursor }) => {
        if (agentId === null) throw new DomainError('FORBIDDEN', 'Only agents have a mailbox.');
        return this.mailboxes.acknowledge({ agentId, projectId }, cursor);
      },
    });
  }
}
