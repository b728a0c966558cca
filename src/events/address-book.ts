import { Injectable } from '@nestjs/common';
import { Database } from '../platform/database/database.js';
import { JointRead } from '../platform/database/joint-read.js';
import { notFound } from '../shared/domain-error.js';
import { rowKey } from '../shared/ids.js';
import { ADDRESSED_MAILBOXES, type AddressedRow, type MailboxKey } from './persistence/mailbox-rows.js';

/** Whom a project means by an agent's id: its own agent, else the one of `*`, also when it has left meanwhile. */
@Injectable()
export class AddressBook {
  /** By the project that asks. */
  private readonly mailboxes: JointRead<MailboxKey, MailboxKey>;

  constructor(private readonly database: Database) {
    this.mailboxes = new JointRead(nameOf, (asked) => this.findAll(asked));
  }

  /** @throws DomainError NOT_FOUND when no agent of that id was ever registered */
  async find(projectId: string, agentId: string): Promise<MailboxKey> {
    const mailbox = await this.mailboxes.get({ projectId, agentId });
    if (mailbox === undefined) throw notFound('agent', agentId);
    return mailbox;
  }

  private async findAll(asked: readonly MailboxKey[]): Promise<ReadonlyMap<string, MailboxKey>> {
    const values = [asked.map(({ agentId }) => agentId), asked.map(({ projectId }) => projectId)];
    const rows = await this.database.query<AddressedRow>(ADDRESSED_MAILBOXES, values);
    return new Map(
      rows.map(({ agent_id: agentId, project_id: projectId, asked_project: askedProject }) => [
        rowKey(askedProject, agentId),
        { agentId, projectId },
      ]),
    );
  }
}

const nameOf = ({ projectId, agentId }: MailboxKey): string => rowKey(projectId, agentId);
