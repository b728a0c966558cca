import {
  CursorField,
  IdField,
  IntField,
  JsonField,
  TextField,
  TextListField,
  TimeField,
} from '../../platform/http/fields.js';
import { PageQuery } from '../../platform/http/list-query.dto.js';
import { eventCursorCheck } from '../domain/cursor.js';
import { TOPIC_PATTERN } from '../domain/topic-pattern.js';

const TOPICS = {
  about: 'Topic patterns: `*` stands for one segment, `#` for the rest, at the end only.',
  max: 50,
  maxLength: 512,
  pattern: TOPIC_PATTERN,
  example: ['task.*.completed', 'workflow.stage_completed', 'system.alerts'],
};

const FILTERS = {
  about: 'Field → value or list of values, of the payload, then of the envelope. All must hold.',
  example: { priority: ['high', 'critical'], project_id: 'proj-456' },
};

const MAX_URL = 2_048;

export class CreateSubscriptionDto {
  @IdField({ about: 'The agent that it tells.', example: 'orchestrator-001' })
  agent_id: string;

  @TextListField({ ...TOPICS, min: 1 })
  topics: string[];

  @JsonField({ ...FILTERS, default: {} })
  filters: Record<string, unknown>;

  @TextField({
    about: 'http or https URL that its events are sent to, instead of to the agent’s sockets.',
    max: MAX_URL,
    optional: true,
    nullable: true,
    example: 'https://example.com/hooks/parley',
  })
  webhook_url?: string | null;

  @IdField({
    about:
      'Project whose events it tells, for tokens that see all projects; default: the agent’s, all for an agent of `*`.',
    optional: true,
    example: 'proj-456',
  })
  project_id?: string;
}

/** A subscription as it is answered. */
export class SubscriptionDto {
  @IdField({ about: 'Made here.', example: '0193a7c0-5c2e-7a10-8a1e-000000000001' })
  id: string;

  @TextField({ about: 'Project whose events it tells; `*`: all.', max: 128, example: 'proj-456' })
  project_id: string;

  @IdField({ about: 'The agent that it tells.', example: 'orchestrator-001' })
  agent_id: string;

  @TextListField(TOPICS)
  topics: string[];

  @JsonField(FILTERS)
  filters: Record<string, unknown>;

  @TextField({
    about: 'Where its events are sent; null: to the agent’s sockets.',
    max: MAX_URL,
    nullable: true,
  })
  webhook_url: string | null;

  @TextField({ about: 'Cursor: the end of the log when it was made. It begins there.', max: 1_024 })
  cursor: string;

  @TimeField({ about: 'Nothing is sent to its webhook since then.', nullable: true })
  disabled_at: string | null;

  @TextField({ about: 'Why nothing is sent any more.', max: 1_000, nullable: true })
  disabled_reason: string | null;

  @TimeField({ about: 'When it was made.', example: '2025-01-15T12:00:00.000Z' })
  created_at: string;
}

export class SubscriptionsQuery extends PageQuery {
  @IdField({ about: 'Only those of this agent.', optional: true, example: 'orchestrator-001' })
  agent_id?: string;

  @IdField({ about: 'Only this project, for tokens that see all.', optional: true, example: 'proj-456' })
  project_id?: string;
}

/** How what is addressed to one reader is read in pages. */
export class ReaderQuery {
  @CursorField({
    about: 'Cursor to go on from; without it from where the reader’s own position is.',
    check: eventCursorCheck,
    optional: true,
  })
  after?: string;

  @IntField({ about: 'Events at most.', min: 1, max: 200, default: 50 })
  limit: number;

  @IntField({ about: 'Milliseconds to wait when there is nothing yet.', min: 0, max: 25_000, default: 0 })
  wait_ms: number;

  @IdField({ about: 'Only this project, for tokens that see all.', optional: true })
  project_id?: string;
}
