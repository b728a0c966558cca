import { IdField, IntField, JsonField, TextField, TimeField } from '../../platform/http/fields.js';
import { PageQuery } from '../../platform/http/list-query.dto.js';
import { TYPE_PATTERN } from '../../shared/ids.js';

const MAX_VERSION = 1_000_000_000;

const SCHEMA = {
  type: 'object',
  required: ['entities'],
  properties: {
    entities: { type: 'array', items: { type: 'string' } },
    database: { type: 'string' },
  },
};

/** What a client says of a template. */
class TemplateContentDto {
  @TextField({ about: 'For people.', max: 256, example: 'Vue CRUD application' })
  name: string;

  @TextField({
    about: 'Type of the agents that work by it; it finds templates, and is not enforced.',
    max: 128,
    pattern: TYPE_PATTERN,
    optional: true,
    nullable: true,
    example: 'code_generation',
  })
  agent_type?: string | null;

  @JsonField({
    about:
      'JSON Schema 2020-12 of `input_data.customizations`; at most 64 KiB. Unknown keywords and formats are refused, references outside it too.',
    example: SCHEMA,
  })
  input_schema: Record<string, unknown>;

  @JsonField({
    about:
      'Merged under the customizations of a task before they are checked: objects member by member, anything else as a whole.',
    default: {},
    example: { database: 'postgresql' },
  })
  defaults: Record<string, unknown>;
}

export class CreateTemplateDto extends TemplateContentDto {
  @IdField({
    about:
      'Chosen by you it is an idempotency key; left out, a UUIDv7 is made. That of a built-in template takes its place in your project.',
    optional: true,
    example: 'vue-crud-template',
  })
  id?: string;

  @IdField({
    about: 'Project of the template, for tokens that see all projects.',
    optional: true,
    example: 'proj-456',
  })
  project_id?: string;

  @IntField({
    about: 'Number of its first version; default 1.',
    min: 1,
    max: MAX_VERSION,
    default: 1,
    example: 1,
  })
  version: number;
}

export class ReplaceTemplateDto extends TemplateContentDto {
  @IdField({ about: 'The same as in the path.', optional: true })
  id?: string;

  @IdField({ about: 'Project, for tokens that see all projects.', optional: true })
  project_id?: string;

  @IntField({
    about:
      'The version that you have read: if it is not the newest any more, 409. Left out: whatever there is.',
    min: 1,
    max: MAX_VERSION,
    optional: true,
    example: 1,
  })
  version?: number;
}

/** A template as it is answered (CONTRACT §7). */
export class TemplateDto {
  @IdField({ about: 'Unique in its project.', example: 'react-crud-template' })
  id: string;

  @TextField({ about: 'Project it belongs to; `*`: built in, for every project.', max: 128, example: '*' })
  project_id: string;

  @TextField({ about: 'For people.', max: 256, example: 'React CRUD application' })
  name: string;

  @IntField({ about: 'Counts its changes.', min: 1, max: 2_147_483_647, example: 1 })
  version: number;

  @TextField({
    about: 'Type of the agents that work by it.',
    max: 128,
    nullable: true,
    example: 'code_generation',
  })
  agent_type: string | null;

  @JsonField({ about: 'JSON Schema 2020-12 of `input_data.customizations`.', example: SCHEMA })
  input_schema: Record<string, unknown>;

  @JsonField({ about: 'Merged under the customizations of a task.', example: {} })
  defaults: Record<string, unknown>;

  @TimeField({ about: 'When its first version was made.', example: '2025-01-15T12:00:00.000Z' })
  created_at: string;

  @TimeField({ about: 'When this version was made.', example: '2025-01-15T12:00:00.000Z' })
  updated_at: string;
}

export class TemplatesQuery extends PageQuery {
  @TextField({
    about: 'Only for agents of this type.',
    max: 128,
    pattern: TYPE_PATTERN,
    optional: true,
    example: 'code_generation',
  })
  agent_type?: string;

  @IdField({ about: 'Only this project, for tokens that see all.', optional: true, example: 'proj-456' })
  project_id?: string;
}

export class TemplateQuery {
  @IntField({ about: 'Which version; default: the newest.', min: 1, max: 2_147_483_647, optional: true })
  version?: number;

  @IdField({ about: 'Project, for tokens that see all.', optional: true })
  project_id?: string;
}
