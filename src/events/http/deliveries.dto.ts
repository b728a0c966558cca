import { ChoiceField, IdField, IntField, TextField, TimeField } from '../../platform/http/fields.js';
import { PageQuery } from '../../platform/http/list-query.dto.js';
import { DELIVERY_KINDS, DELIVERY_STATUSES } from '../domain/delivery.js';

const ID = '0198c2f4-7a31-7b2e-9c15-5b0a5c9e3f10';

export class DeliveriesQuery extends PageQuery {
  @ChoiceField({ about: 'failed is the dead-letter list.', values: DELIVERY_STATUSES, optional: true })
  status?: string;

  @ChoiceField({
    about: 'Responses to requests, or events for subscriptions.',
    values: DELIVERY_KINDS,
    optional: true,
  })
  kind?: string;

  @IdField({ about: 'Only the callbacks of this request.', optional: true, example: 'req-001' })
  request_id?: string;

  @IdField({ about: 'Only what this subscription is told.', optional: true })
  subscription_id?: string;

  @IdField({ about: 'Only this project, for tokens that see all.', optional: true, example: 'proj-456' })
  project_id?: string;
}

/** Something that is sent, or was, to a URL that a client gave (CONTRACT §6). */
export class DeliveryDto {
  @IdField({ about: 'UUIDv7.', example: ID })
  id: string;

  @TextField({
    about: 'Project of the request or the subscription; `*`: of a subscription to all projects.',
    max: 128,
  })
  project_id: string;

  @ChoiceField({ about: 'A response to a request, or an event for a subscription.', values: DELIVERY_KINDS })
  kind: string;

  @IdField({ about: 'The request, of a callback.', nullable: true, example: 'req-001' })
  request_id: string | null;

  @IdField({ about: 'The subscription, of a webhook.', nullable: true, example: null })
  subscription_id: string | null;

  @IdField({ about: 'The event, of a webhook.', nullable: true, example: null })
  event_id: string | null;

  @TextField({
    about: '`webhook-id` of every try: by it the receiver knows what it has had.',
    max: 512,
    example: ID,
  })
  webhook_id: string;

  @IdField({ about: 'The agent whose `webhook_secret` signs it.', example: 'orchestrator-001' })
  agent_id: string;

  @TextField({ about: 'Where it goes.', max: 2_048, example: 'https://example.org/hooks/1' })
  url: string;

  @ChoiceField({ about: 'failed: it is not tried any more.', values: DELIVERY_STATUSES })
  status: string;

  @IntField({ about: 'Tries so far.', min: 0, max: 2_147_483_647, example: 1 })
  attempt: number;

  @TimeField({ about: 'When it is tried next; null when it is over.', nullable: true })
  next_attempt_at: string | null;

  @TimeField({ about: 'After this time it is not tried again.' })
  give_up_at: string;

  @IntField({
    about: 'HTTP status of the last answer, if there was one.',
    min: 100,
    max: 999,
    nullable: true,
  })
  last_status: number | null;

  @TextField({ about: 'What was wrong with the last try.', max: 4_096, nullable: true })
  last_error: string | null;

  @TimeField({ about: 'When it was made.' })
  created_at: string;

  @TimeField({ about: 'When something last changed.' })
  updated_at: string;

  @TimeField({ about: 'When the receiver answered 2xx.', nullable: true })
  delivered_at: string | null;
}
