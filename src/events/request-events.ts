import { newId } from '../platform/new-id.js';
import type { Batch } from '../platform/database/batch.js';
import type { EventTypesOf } from '../shared/event-types.js';
import type { DomainEvent } from '../shared/domain-event.js';
import type { AgentRequest } from './domain/request.js';

/** The event of a new request: for everybody, and in the target's mailbox. */
export function requestCreated(request: AgentRequest): DomainEvent {
  const { data, timeout, deadline_at } = request;
  return {
    ...aboutRequest(request, 'request.created', { data, timeout, deadline_at }),
    sourceAgent: request.source,
    targetAgent: request.target,
    mailbox: request.mailbox,
  };
}

/** The transaction in which a request ends: a batch or a sweep's own. */
type Ending = Pick<Batch, 'record' | 'write'>;

/** Everything that goes with the end of a request, answered or timed out, into the transaction that ends it. */
export function recordEnd(ending: Ending, request: AgentRequest): void {
  ending.record(requestEnded(request));
}

function requestEnded(request: AgentRequest): DomainEvent {
  const { source, source_mailbox: mailbox, target, response } = request;
  return request.status === 'answered'
    ? {
        ...aboutRequest(request, 'request.completed', { response }),
        sourceAgent: target,
        targetAgent: source,
        mailbox,
      }
    : { ...aboutRequest(request, 'request.timed_out'), sourceAgent: null, targetAgent: source, mailbox };
}

function aboutRequest(
  request: AgentRequest,
  type: EventTypesOf<'request'>,
  more: DomainEvent['payload'] = {},
) {
  const { id, project_id, status, source, target } = request;
  return {
    id: newId(),
    projectId: project_id,
    type,
    topic: type,
    aggregateId: id,
    seq: request.seq,
    correlationId: request.correlation_id,
    timestamp: request.updated_at,
    payload: { request_id: id, type: request.type, status, source, target, project_id, ...more },
  };
}
