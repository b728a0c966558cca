import {
  ChoiceField,
  IdField,
  IntField,
  JsonField,
  JsonListField,
  TextField,
} from '../../platform/http/fields.js';
import { TYPE_PATTERN } from '../../shared/ids.js';
import { RESPONSE_STATUSES } from '../domain/request.js';

/** The seed's request. */
export class RequestDto {
  @IdField({
    about: 'Chosen by you it is an idempotency key; left out, a UUIDv7 is made.',
    optional: true,
    example: 'req-001',
  })
  id?: string;

  @TextField({
    about: 'What the target is asked to do: a word between you and it.',
    max: 128,
    pattern: TYPE_PATTERN,
    example: 'generate_code',
  })
  type: string;

  @IdField({
    about: 'The agent that asks: itself by its own token; for a client with `agents:write` any that it sees.',
    optional: true,
    nullable: true,
    example: 'orchestrator-001',
  })
  source?: string | null;

  @IdField({ about: 'The agent that is asked.', example: 'code-gen-001' })
  target: string;

  @TextField({
    about: 'Default: `X-Correlation-Id`, else the id of the request.',
    max: 128,
    optional: true,
    nullable: true,
    example: 'workflow-123',
  })
  correlation_id?: string | null;

  @JsonField({
    about: 'For the target. It is not checked against templates.',
    default: {},
    example: { template_id: 'express-api', parameters: {} },
  })
  data: Record<string, unknown>;

  @IntField({
    about: 'Seconds within which the response must come.',
    min: 1,
    max: 86_400,
    default: 300,
    example: 300,
  })
  timeout: number;

  @TextField({
    about:
      'Absolute: the response is posted there, signed with the webhook_secret of `source`. Relative: `/api/v1/callbacks/{id}`, where the target answers anyway.',
    max: 2048,
    optional: true,
    nullable: true,
    example: '/api/v1/callbacks/req-001',
  })
  callback_url?: string | null;

  @IdField({ about: 'Project, for tokens that see all.', optional: true, example: 'proj-456' })
  project_id?: string;
}

/** The seed's response. */
export class ResponseDto {
  @IdField({ about: 'Left out, a UUIDv7 is made.', optional: true, example: 'resp-001' })
  id?: string;

  @IdField({ about: 'The same as in the path.', optional: true, example: 'req-001' })
  request_id?: string;

  @ChoiceField({ about: 'Whether it was done.', values: RESPONSE_STATUSES, example: 'success' })
  status: (typeof RESPONSE_STATUSES)[number];

  @JsonField({ about: 'What came of it.', default: {}, example: { execution_time: 45.2 } })
  data: Record<string, unknown>;

  @JsonListField({ about: 'What went wrong.', max: 1000, default: [], example: [] })
  errors: unknown[];

  @IdField({ about: 'Project, for tokens that see all.', optional: true, example: 'proj-456' })
  project_id?: string;
}

/** A response over a socket, where no path names the request. */
export class RespondDto extends ResponseDto {
  @IdField({ about: 'The request that is answered.', example: 'req-001' })
  declare request_id: string;
}
