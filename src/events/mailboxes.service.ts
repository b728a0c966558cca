import { Injectable } from '@nestjs/common';
import { type Caller, type NamedProject, projectForRead } from '../auth/index.js';
import { Batcher } from '../platform/database/batcher.js';
import { Database } from '../platform/database/database.js';
import type { Patience } from '../platform/http/patience.js';
import { notFound, validationFailed } from '../shared/domain-error.js';
import { ANY_PROJECT, rowKey } from '../shared/ids.js';
import { onlyProject } from '../shared/only-project.js';
import { AckCommands } from './ack-commands.js';
import { AddressBook } from './address-book.js';
import { decodeCursor } from './domain/cursor.js';
import { EventLog } from './event-log.js';
import { type EventPage, EventPages } from './event-pages.service.js';
import {
  FIND_MAILBOX,
  MAILBOX_PROJECTS,
  type MailboxKey,
  type MailboxRow,
} from './persistence/mailbox-rows.js';
import { assertMaySpeakFor } from './speakers.js';

/** A look into a mailbox. */
export interface MailboxAsk {
  /** Default: the acknowledged position. */
  readonly after: string | undefined;
  readonly limit: number;
  /** In milliseconds. */
  readonly waitMs: number;
}

/** What is addressed to an agent waits in its mailbox, until the agent says how far it has come. */
@Injectable()
export class Mailboxes {
  constructor(
    private readonly database: Database,
    private readonly batcher: Batcher,
    private readonly commands: AckCommands,
    private readonly pages: EventPages,
    private readonly log: EventLog,
    private readonly addresses: AddressBook,
  ) {}

  /**
   * Whose mailbox a caller means by an agent's id, which it may open.
   * @throws DomainError NOT_FOUND; FORBIDDEN for somebody else's; CONFLICT when `*` names an id that several projects have
   */
  async open(caller: Caller, named: NamedProject, agentId: string): Promise<MailboxRow> {
    const projectId = projectForRead(caller, named);
    // An agent of `*` that names itself means itself, whoever else has that id.
    const isOwn = caller.agentId === agentId && caller.projectId === projectId;
    const key = { agentId, projectId: isOwn ? projectId : await this.projectOf(projectId, agentId) };
    const mailbox = await this.find(key);
    assertMaySpeakFor(caller, key);
    return mailbox;
  }

  /**
   * The project of whom a project means by an id: its own agent, else the one of every project; of `*`, the only one.
   * @throws DomainError NOT_FOUND for an agent that was never registered; CONFLICT where several projects have that id
   */
  async addressed(projectId: string, agentId: string): Promise<MailboxKey> {
    if (projectId === ANY_PROJECT) return { agentId, projectId: await this.projectOf(projectId, agentId) };
    return this.addresses.find(projectId, agentId);
  }

  read(mailbox: MailboxRow, { after, ...ask }: MailboxAsk, patience: Patience): Promise<EventPage> {
    const selection = { mailbox: rowKey(mailbox.project_id, mailbox.agent_id) };
    const from = after ?? this.log.cursor(mailbox.acked_pos);
    return this.pages.read({ selection, after: from, ...ask }, patience);
  }

  /**
   * Everything up to the cursor has come. Never backwards, never past the end of the log.
   * @returns the acknowledged position, as a cursor
   * @throws DomainError VALIDATION_FAILED for a cursor of another log
   */
  async acknowledge(key: MailboxKey, cursor: string): Promise<{ readonly cursor: string }> {
    const { epoch, pos } = decodeCursor(cursor, '/cursor');
    if (!this.log.isOwn(epoch))
      throw validationFailed([{ path: '/cursor', message: 'is of another log; read the mailbox again' }]);
    return { cursor: this.log.cursor(await this.batcher.submit(this.commands, { ...key, pos })) };
  }

  private async find({ agentId, projectId }: MailboxKey): Promise<MailboxRow> {
    const [row] = await this.database.query<MailboxRow>(FIND_MAILBOX, [agentId, projectId]);
    if (row === undefined) throw notFound('agent', agentId);
    return row;
  }

  private async projectOf(projectId: string, agentId: string): Promise<string> {
    if (projectId !== ANY_PROJECT) return projectId;
    const rows = await this.database.query<{ project_id: string }>(MAILBOX_PROJECTS, [agentId]);
    return onlyProject(
      'agent',
      agentId,
      rows.map((row) => row.project_id),
    );
  }
}
