import { Injectable } from '@nestjs/common';
import type { Caller } from '../auth/index.js';
import { bodyHash } from '../platform/body-hash.js';
import { Batcher } from '../platform/database/batcher.js';
import { newId } from '../platform/new-id.js';
import { rowKey } from '../shared/ids.js';
import { AddressBook } from './address-book.js';
import type { Envelope } from './envelope.js';
import { MessageCommands } from './message-commands.js';
import { PostedEvents } from './posted-events.js';
import type { Posting } from './posting.js';
import { Speakers } from './speakers.js';

/** A message as it was posted: the seed's envelope. */
export interface PostedMessage {
  readonly id?: string;
  /** When its sender made it: nothing is decided by it, and the envelope has the database's time. */
  readonly timestamp?: string;
  readonly event_type: string;
  readonly source_agent?: string | null;
  readonly target_agent: string;
  readonly correlation_id?: string | null;
  readonly payload: Readonly<Record<string, unknown>>;
  /** Seconds. */
  readonly ttl?: number;
}

/** What one agent tells another, there or away. */
@Injectable()
export class MessagesService {
  constructor(
    private readonly batcher: Batcher,
    private readonly commands: MessageCommands,
    private readonly addresses: AddressBook,
    private readonly speakers: Speakers,
    private readonly posted: PostedEvents,
  ) {}

  /**
   * @throws DomainError NOT_FOUND for a target that was never registered · FORBIDDEN for somebody else's name as the source ·
   * CONFLICT when the id is another message's
   */
  async send(
    caller: Caller,
    { timestamp: _made, ...message }: PostedMessage,
    { projectId, correlationId, bytes }: Posting,
  ): Promise<{ readonly envelope: Envelope; readonly created: boolean }> {
    const { event_type: eventType, target_agent: target, payload, ttl } = message;
    const chosen = message.id ?? newId();
    const addressed = await this.addresses.find(projectId, target);
    const speaker = await this.speakers.of(caller, projectId, message.source_agent);
    const row = {
      id: chosen,
      project_id: projectId,
      // Nobody can name a message before it has its id: who chose none is never compared.
      body_hash: message.id === undefined ? '' : bodyHash(message),
      mailbox: rowKey(addressed.projectId, target),
      source_agent: speaker.agentId,
      source_mailbox: speaker.mailbox,
      target_agent: target,
      correlation_id: message.correlation_id ?? correlationId ?? chosen,
    };
    const command = { message: row, chosenId: message.id !== undefined, eventType, payload, ttl };
    const { id, created } = await this.batcher.submit(this.commands, command, bytes);
    return { envelope: await this.posted.envelope({ id, projectId }), created };
  }
}
