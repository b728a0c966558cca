import { newId } from '../platform/new-id.js';
import type { EventTypesOf } from '../shared/event-types.js';
import type { DomainEvent } from '../shared/domain-event.js';
import type { MessageRow, OverRow } from './persistence/message-rows.js';

/** A message is its event: it has the message's id, and only its target's mailbox holds it. */
export function messageSent(
  message: MessageRow,
  eventType: string,
  payload: DomainEvent['payload'],
): DomainEvent {
  return {
    ...aboutMessage(message),
    id: message.id,
    type: eventType,
    topic: eventType,
    seq: 1,
    sourceAgent: message.source_agent,
    targetAgent: message.target_agent,
    timestamp: message.created_at,
    payload,
    mailbox: message.mailbox,
    isPrivate: true,
  };
}

/** What its sender is told; without what it said, as everybody may hear it. */
export function messageExpired(message: OverRow, now: string): DomainEvent {
  const { id, project_id, source_agent, target_agent, expires_at } = message;
  return {
    ...aboutMessage(message),
    id: newId(),
    type: 'message.expired' satisfies EventTypesOf<'message'>,
    topic: 'message.expired',
    seq: 2,
    sourceAgent: null,
    targetAgent: source_agent,
    timestamp: now,
    payload: { message_id: id, source_agent, target_agent, expires_at, project_id },
    mailbox: message.source_mailbox,
  };
}

function aboutMessage(message: Pick<OverRow, 'id' | 'project_id' | 'correlation_id'>) {
  return {
    projectId: message.project_id,
    aggregateId: message.id,
    correlationId: message.correlation_id,
  };
}
