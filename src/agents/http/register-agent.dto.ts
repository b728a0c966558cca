import {
  BooleanField,
  ChoiceField,
  IdField,
  JsonField,
  TextField,
  TextListField,
} from '../../platform/http/fields.js';
import { ID_PATTERN, TYPE_PATTERN } from '../../shared/ids.js';

/** RFC 3986: ASCII only; other characters are percent-encoded, other hosts punycode. */
const URL_PATTERN = /^[Hh][Tt][Tt][Pp][Ss]?:\/\/[!-~]+$/;

const ABOUT_CONFIGURATION =
  'The agent’s own, but for `max_concurrent_tasks`: how many tasks it may hold at once, 1 to 1000, default 100.';

export class RegisterAgentDto {
  @IdField({ about: 'Unique in its project.', example: 'agent-001' })
  id: string;

  @TextField({
    about: 'It gets tasks of this `agent_type`; a segment of the topics of its events.',
    max: 128,
    pattern: TYPE_PATTERN,
    example: 'code_generation',
  })
  type: string;

  @IdField({
    about: 'Project it serves. Without one, an agent that a `*` token registers serves every project.',
    optional: true,
  })
  project_id?: string;

  @TextField({
    about: 'For people.',
    max: 200,
    optional: true,
    nullable: true,
    example: 'Code Generator',
  })
  name?: string | null;

  @TextField({ about: 'Of its program.', max: 100, optional: true, nullable: true, example: '1.0.0' })
  version?: string | null;

  @TextListField({
    about: 'What it can do; tasks may require some of it.',
    max: 100,
    maxLength: 128,
    optional: true,
    example: ['javascript', 'python', 'react'],
  })
  capabilities?: string[];

  @TextField({
    about: 'Probed by the server; what comes of it is shown as `health`.',
    max: 2048,
    pattern: URL_PATTERN,
    optional: true,
    nullable: true,
    example: 'http://agent-001:8080/health',
  })
  health_check_url?: string | null;

  @JsonField({
    about: ABOUT_CONFIGURATION,
    optional: true,
    example: { max_concurrent_tasks: 5, supported_frameworks: ['express', 'fastapi', 'react'] },
  })
  configuration?: Record<string, unknown>;

  @JsonField({ about: 'Yours; Parley only keeps it.', optional: true, nullable: true })
  metadata?: Record<string, unknown> | null;

  @TextListField({
    about:
      'Tasks of its older session that it still works on; what it held and does not name is offered again.',
    max: 1000,
    maxLength: 128,
    pattern: ID_PATTERN,
    optional: true,
  })
  held_tasks?: string[];

  @BooleanField({ about: 'New credentials for an agent that is registered already.', optional: true })
  rotate_secret?: boolean;
}

/** What is left out stays; lists and objects are replaced whole. */
export class EditAgentDto {
  @TextField({ about: 'For people.', max: 200, optional: true, nullable: true, example: 'Code Generator' })
  name?: string | null;

  @TextField({ about: 'Of its program.', max: 100, optional: true, nullable: true, example: '1.1.0' })
  version?: string | null;

  @TextListField({
    about: 'What it can do.',
    max: 100,
    maxLength: 128,
    optional: true,
    example: ['javascript', 'react'],
  })
  capabilities?: string[];

  @TextField({
    about: 'Probed by the server.',
    max: 2048,
    pattern: URL_PATTERN,
    optional: true,
    nullable: true,
  })
  health_check_url?: string | null;

  @JsonField({ about: ABOUT_CONFIGURATION, optional: true, example: { max_concurrent_tasks: 10 } })
  configuration?: Record<string, unknown>;

  @JsonField({ about: 'Yours; Parley only keeps it.', optional: true, nullable: true })
  metadata?: Record<string, unknown> | null;

  @ChoiceField({ about: '`active` ends a drain.', values: ['active'], optional: true })
  status?: 'active';
}
