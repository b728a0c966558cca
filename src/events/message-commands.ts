import { Injectable } from '@nestjs/common';
import type { Batch, BatchHandler, Outcome } from '../platform/database/batch.js';
import type { Row, Statement } from '../platform/database/statement.js';
import { DomainError } from '../shared/domain-error.js';
import { rowKey } from '../shared/ids.js';
import { messageSent } from './message-events.js';
import { findMessages, insertMessages, type MessageRow } from './persistence/message-rows.js';

/** A message to be sent, with all that was looked up for it before. */
export interface MessageCommand {
  readonly message: Omit<MessageRow, 'expires_at' | 'created_at'>;
  /** The client chose the id, so a message of that id may exist already. */
  readonly chosenId: boolean;
  readonly eventType: string;
  readonly payload: Readonly<Record<string, unknown>>;
  /** Seconds it waits for its target; undefined: as long as the log keeps it. */
  readonly ttl: number | undefined;
}

interface Sent {
  readonly id: string;
  /** false: it was sent before. */
  readonly created: boolean;
}

/** The batch's way with messages: an event in one mailbox, and a row that keeps the id unique. */
@Injectable()
export class MessageCommands implements BatchHandler<MessageCommand, Sent> {
  readonly name = 'messages';
  readonly order = 52;
  readonly effects = { nameOf: (): string => 'send', isEffect: ({ created }: Sent): boolean => created };

  load(commands: readonly MessageCommand[]): Statement[] {
    const chosen = commands.flatMap(({ chosenId, message }) =>
      chosenId ? [{ id: message.id, projectId: message.project_id }] : [],
    );
    return chosen.length === 0 ? [] : [findMessages(chosen)];
  }

  decide(
    commands: readonly MessageCommand[],
    [stored = []]: readonly (readonly Row[])[],
    batch: Batch,
  ): Outcome<Sent>[] {
    // The rows' shape is findMessages' column list.
    const rows = stored as unknown as readonly Pick<MessageRow, 'id' | 'project_id' | 'body_hash'>[];
    const hashes = new Map(rows.map((row) => [rowKey(row.project_id, row.id), row.body_hash]));
    const sent: MessageRow[] = [];
    const outcomes = commands.map((command): Outcome<Sent> => {
      const { id, project_id: projectId, body_hash: hash } = command.message;
      const known = hashes.get(rowKey(projectId, id));
      if (known === hash) return { done: { id, created: false } };
      if (known !== undefined) return { refused: taken(id) };
      hashes.set(rowKey(projectId, id), hash);
      sent.push(send(command, batch));
      return { done: { id, created: true } };
    });
    if (sent.length > 0) batch.write(insertMessages(sent));
    return outcomes;
  }
}

function send({ message, eventType, payload, ttl }: MessageCommand, batch: Batch): MessageRow {
  const expiresAt = ttl === undefined ? null : new Date(Date.parse(batch.now) + ttl * 1000).toISOString();
  const row = { ...message, expires_at: expiresAt, created_at: batch.now };
  batch.record(messageSent(row, eventType, payload));
  return row;
}

function taken(id: string): DomainError {
  return new DomainError('CONFLICT', `There is another message '${id}' already.`, { message_id: id });
}
