import { ApiExtraModels, ApiProperty, getSchemaPath } from '@nestjs/swagger';
import { CursorField, IdField, IntField, TextField, TextListField } from '../../platform/http/fields.js';
import { eventCursorCheck } from '../domain/cursor.js';
import { TOPIC_PATTERN } from '../domain/topic-pattern.js';

class LogQuery {
  @TextListField({
    about: 'Topic patterns, comma-separated; without them everything.',
    max: 50,
    maxLength: 512,
    pattern: TOPIC_PATTERN,
    optional: true,
    example: ['task.*.completed'],
  })
  topics?: string[];

  @TextField({
    about: 'Only what has this correlation id.',
    max: 128,
    optional: true,
    example: 'workflow-123',
  })
  correlation_id?: string;

  @IdField({ about: 'Only this project, for tokens that see all.', optional: true })
  project_id?: string;
}

export class EventsQuery extends LogQuery {
  @CursorField({
    about: 'Cursor to go on from; without it the log is read from its beginning.',
    check: eventCursorCheck,
    optional: true,
  })
  after?: string;

  @IntField({ about: 'Events at most.', min: 1, max: 200, default: 50 })
  limit: number;

  @IntField({ about: 'Milliseconds to wait when there is nothing yet.', min: 0, max: 25_000, default: 0 })
  wait_ms: number;
}

export class EventStreamQuery extends LogQuery {
  @CursorField({
    about: 'Cursor: replay from there, then live. Without it, live only.',
    check: eventCursorCheck,
    optional: true,
  })
  after?: string;

  @TextField({
    about: 'The access token, for clients that cannot send headers. Elsewhere it is not accepted.',
    max: 8_192,
    optional: true,
  })
  access_token?: string;
}

/** The one envelope, as every channel carries it. */
export class EnvelopeDto {
  @ApiProperty({ example: '0193a7c0-5c2e-7a10-8a1e-000000000001' })
  id: string;

  @ApiProperty({ format: 'date-time', example: '2025-01-15T12:00:00.000Z' })
  timestamp: string;

  @ApiProperty({ example: 'task.progress' })
  event_type: string;

  @ApiProperty({ type: 'string', nullable: true, example: 'agent-001' })
  source_agent: string | null;

  @ApiProperty({ type: 'string', nullable: true, example: null })
  target_agent: string | null;

  @ApiProperty({ example: 'workflow-123' })
  correlation_id: string;

  @ApiProperty({ type: 'object', additionalProperties: true })
  payload: Record<string, unknown>;

  @ApiProperty({ example: 'task.code_generation.progress' })
  topic: string;

  @ApiProperty({ example: 'proj-456' })
  project_id: string;

  @ApiProperty({ description: 'Gapless per aggregate, from 1.', example: 4 })
  seq: number;

  @ApiProperty({ description: 'Opaque; orders the whole log.' })
  cursor: string;
}

class GapBoundsDto {
  @ApiProperty({ description: 'The cursor that was given.' })
  from: string;

  @ApiProperty({ description: 'The cursor from which the answer goes on.' })
  to: string;
}

/** What is between was of another log, or is not there any more. */
class GapDto {
  @ApiProperty({ type: GapBoundsDto })
  gap: GapBoundsDto;
}

@ApiExtraModels(EnvelopeDto, GapDto)
export class EventPageDto {
  @ApiProperty({
    description:
      'Events in log order; a gap first, where the cursor was of another log, past its end, or older than what is kept.',
    type: 'array',
    items: { oneOf: [{ $ref: getSchemaPath(EnvelopeDto) }, { $ref: getSchemaPath(GapDto) }] },
  })
  items: unknown[];

  @ApiProperty({ description: 'Where to go on; never null.' })
  next_cursor: string;
}
