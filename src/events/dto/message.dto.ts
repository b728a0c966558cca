import { IdField, IntField, JsonField, TextField, TimeField } from '../../platform/http/fields.js';
import { TOPIC } from '../domain/topic-pattern.js';

const LONGEST_TTL = 2_592_000;

/** The seed's message. */
export class MessageDto {
  @IdField({
    about: 'Chosen by you it is an idempotency key; left out, a UUIDv7 is made.',
    optional: true,
    example: 'msg-001',
  })
  id?: string;

  @TimeField({
    about: 'When you made it. Nothing is decided by it: the envelope has the time of the database.',
    optional: true,
    example: '2025-01-15T12:00:00Z',
  })
  timestamp?: string;

  @TextField({
    about: 'What kind of message it is, for its target to know.',
    max: 512,
    pattern: TOPIC,
    default: 'message.sent',
    example: 'task.progress',
  })
  event_type: string;

  @IdField({
    about:
      'The agent that speaks: itself by its own token; for a client with `agents:write` any that it sees.',
    optional: true,
    nullable: true,
    example: 'agent-001',
  })
  source_agent?: string | null;

  @IdField({ about: 'The agent in whose mailbox it waits.', example: 'orchestrator-001' })
  target_agent: string;

  @TextField({
    about: 'Default: `X-Correlation-Id`, else the id of the message.',
    max: 128,
    optional: true,
    nullable: true,
    example: 'workflow-123',
  })
  correlation_id?: string | null;

  @JsonField({ about: 'What it says.', default: {}, example: { task_id: 'task-001', progress: 75 } })
  payload: Record<string, unknown>;

  @IntField({
    about:
      'Seconds after which it expires, unless its target has acknowledged it by then: it is not read any more, and you are told by `message.expired`. Left out: it is kept as long as the log is.',
    min: 1,
    max: LONGEST_TTL,
    optional: true,
  })
  ttl?: number;

  @IdField({ about: 'Project, for tokens that see all.', optional: true, example: 'proj-456' })
  project_id?: string;
}
