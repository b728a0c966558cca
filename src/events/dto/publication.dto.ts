import { ChoiceField, IdField, JsonField, TextField } from '../../platform/http/fields.js';
import { SEVERITIES } from '../../shared/words.js';
import { TOPIC } from '../domain/topic-pattern.js';

export class PublicationDto {
  @TextField({
    about: 'Up to eight segments of letters, digits, _ or -, separated by dots; no wildcards.',
    max: 512,
    pattern: TOPIC,
    example: 'task.code_generation.completed',
  })
  topic: string;

  @JsonField({
    about: 'The payload of the event.',
    example: { task_id: 'task-001', result: 'success', artifacts: ['app.zip'] },
  })
  data: Record<string, unknown>;

  @IdField({
    about:
      'The agent that speaks: itself by its own token; for a client with `agents:write` any that it sees.',
    optional: true,
    nullable: true,
  })
  source_agent?: string | null;

  @TextField({
    about: 'Default: `X-Correlation-Id`, else the id of the event.',
    max: 128,
    optional: true,
    nullable: true,
    example: 'workflow-123',
  })
  correlation_id?: string | null;

  @IdField({ about: 'Project, for tokens that see all.', optional: true, example: 'proj-456' })
  project_id?: string;
}

export class AlertDto {
  @ChoiceField({ about: 'How bad it is.', values: SEVERITIES, example: 'warning' })
  severity: (typeof SEVERITIES)[number];

  @TextField({
    about: 'For people, with what to do about it.',
    max: 4096,
    example: 'Maintenance begins at 18:00.',
  })
  message: string;

  @JsonField({ about: 'The facts, for programs.', default: {}, example: { ends_at: '2025-01-15T19:00:00Z' } })
  details: Record<string, unknown>;

  @IdField({ about: 'Project, for tokens that see all.', optional: true, example: 'proj-456' })
  project_id?: string;
}
