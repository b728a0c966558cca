import {
  ChoiceField,
  IdField,
  IntField,
  JsonField,
  JsonListField,
  NestedField,
  TextField,
  TimeField,
} from '../../platform/http/fields.js';
import { ListQuery } from '../../platform/http/list-query.dto.js';
import { REQUEST_STATUSES } from '../../shared/words.js';
import { type RequestStatus, RESPONSE_STATUSES } from '../domain/request.js';

/** What a new request is answered with. */
export class RequestAcceptedDto {
  @IdField({ about: 'Unique in its project.', example: 'req-001' })
  id: string;

  @ChoiceField({
    about: 'pending, unless it was posted before.',
    values: REQUEST_STATUSES,
    example: 'pending',
  })
  status: RequestStatus;
}

/** A response as it is answered. */
export class StoredResponseDto {
  @IdField({ about: 'Chosen by the target, or made here.', example: 'resp-001' })
  id: string;

  @IdField({ about: 'The request that it answers.', example: 'req-001' })
  request_id: string;

  @ChoiceField({ about: 'Whether it was done.', values: RESPONSE_STATUSES, example: 'success' })
  status: (typeof RESPONSE_STATUSES)[number];

  @JsonField({ about: 'What came of it.', example: { execution_time: 45.2 } })
  data: Record<string, unknown>;

  @JsonListField({ about: 'What went wrong.', max: 1000, example: [] })
  errors: unknown[];
}

/** A request as it is answered (CONTRACT §6). */
export class StoredRequestDto extends RequestAcceptedDto {
  @TextField({ about: 'Project it belongs to.', max: 128, example: 'proj-456' })
  project_id: string;

  @TextField({ about: 'What the target is asked to do.', max: 128, example: 'generate_code' })
  type: string;

  @TextField({
    about: 'The agent that asks; null: a client.',
    max: 128,
    nullable: true,
    example: 'orchestrator-001',
  })
  source: string | null;

  @TextField({ about: 'The agent that is asked.', max: 128, example: 'code-gen-001' })
  target: string;

  @TextField({ about: 'Fixed when it was made.', max: 128, example: 'workflow-123' })
  correlation_id: string;

  @JsonField({ about: 'For the target.', example: { template_id: 'express-api' } })
  data: Record<string, unknown>;

  @IntField({ about: 'Seconds within which the response must come.', min: 1, max: 86_400, example: 300 })
  timeout: number;

  @TextField({
    about: 'Where the response is posted to, if it is absolute.',
    max: 2048,
    nullable: true,
    example: null,
  })
  callback_url: string | null;

  @NestedField(() => StoredResponseDto, { about: 'Null until it is answered.', nullable: true })
  response: StoredResponseDto | null;

  @TimeField({ about: 'From then on it cannot be answered any more.', example: '2025-01-15T12:05:00.000Z' })
  deadline_at: string;

  @TimeField({ about: 'When it was made.', example: '2025-01-15T12:00:00.000Z' })
  created_at: string;

  @TimeField({ about: 'When it changed last.', example: '2025-01-15T12:00:00.000Z' })
  updated_at: string;

  @TimeField({ about: 'When it was answered, or timed out.', nullable: true, example: null })
  ended_at: string | null;
}

export class RequestsQuery extends ListQuery {
  @ChoiceField({ about: 'Only those in this state.', values: REQUEST_STATUSES, optional: true })
  status?: RequestStatus;

  @IdField({ about: 'Only what this agent asks.', optional: true })
  source?: string;

  @IdField({ about: 'Only what this agent is asked.', optional: true })
  target?: string;
}

export class RequestQuery {
  @IntField({ about: 'Milliseconds to wait for the end.', min: 0, max: 25_000, default: 0 })
  wait_ms: number;

  @IdField({ about: 'Project, for tokens that see all.', optional: true })
  project_id?: string;
}
