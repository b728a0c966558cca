import { Injectable } from '@nestjs/common';
import { Database } from '../platform/database/database.js';
import { JointRead } from '../platform/database/joint-read.js';
import { notFound } from '../shared/domain-error.js';
import { rowKey } from '../shared/ids.js';
import { MAILBOXES_FOR, type MailboxForRow } from './persistence/mailbox-rows.js';

interface Asked {
  readonly projectId: string;
  readonly agentId: string;
}

/** Whom a project means by an agent's id: its own agent, else the one of `*`, also when it has left meanwhile. */
@Injectable()
export class AddressBook {
  private readonly mailboxes: JointRead<Asked, string>;

  constructor(private readonly database: Database) {
    this.mailboxes = new JointRead(nameOf, (asked) => this.findAll(asked));
  }

  /** The mailbox of an agent. @throws DomainError NOT_FOUND when none of that id was ever registered */
  async mailbox(projectId: string, agentId: string): Promise<string> {
    const mailbox = await this.mailboxes.get({ projectId, agentId });
    if (mailbox === undefined) throw notFound('agent', agentId);
    return mailbox;
  }

  private async findAll(asked: readonly Asked[]): Promise<ReadonlyMap<string, string>> {
    const values = [asked.map((one) => one.agentId), asked.map((one) => one.projectId)];
    const rows = await this.database.query<MailboxForRow>(MAILBOXES_FOR, values);
    return new Map(
      rows.map((row) => [rowKey(row.asked_project, row.agent_id), rowKey(row.project_id, row.agent_id)]),
    );
  }
}

const nameOf = ({ projectId, agentId }: Asked): string => rowKey(projectId, agentId);
