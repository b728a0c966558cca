import { Injectable } from '@nestjs/common';
import type { Batch } from '../platform/database/batch.js';
import { newId } from '../platform/new-id.js';
import { type AgentRequest, isAbsoluteCallback } from './domain/request.js';
import { DeliverySweep } from './jobs/delivery.sweep.js';
import { type Callback, insertCallbacks } from './persistence/delivery-rows.js';
import { endRequests } from './persistence/request-rows.js';

/** The transaction in which requests end: a batch or a sweep's own. */
type Ending = Pick<Batch, 'write' | 'afterCommit'>;

/** Writes the ends of requests, and with them what is delivered to the URLs that wait for it. */
@Injectable()
export class RequestEnds {
  constructor(private readonly deliveries: DeliverySweep) {}

  write(ending: Ending, ended: readonly AgentRequest[]): void {
    ending.write(endRequests(ended));
    const callbacks = ended.flatMap(callbackOf);
    const [first] = callbacks;
    if (first === undefined) return;
    ending.write(insertCallbacks(callbacks));
    ending.afterCommit(() => this.deliveries.announce(first.id));
  }
}

function callbackOf(request: AgentRequest): Callback[] {
  const { callback_url: url, source, source_mailbox: mailbox } = request;
  // Without a source there is no secret; such a request is refused when it is made.
  if (!isAbsoluteCallback(url) || source === null || mailbox === null) return [];
  const id = newId();
  const [projectId = ''] = mailbox.split(' ', 1);
  return [
    {
      id,
      projectId: request.project_id,
      requestId: request.id,
      url,
      signer: { id: source, projectId },
      body: JSON.stringify(request.response ?? timedOut(request, id)),
    },
  ];
}

/** What is delivered in place of a response that did not come in time, in the same shape. */
function timedOut({ id: requestId, target, timeout }: AgentRequest, id: string) {
  const message = `Agent '${target}' did not respond within ${timeout} s.`;
  return {
    id,
    request_id: requestId,
    status: 'timed_out',
    data: {},
    errors: [{ code: 'TASK_TIMEOUT', message }],
  };
}
