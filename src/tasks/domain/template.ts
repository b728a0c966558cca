import { DomainError, type FieldError } from '../../shared/domain-error.js';
import { ID_PATTERN } from '../../shared/ids.js';

/** A kind of work that tasks name in `input_data.template_id`: what its customizations may hold, and what they default to. */
export interface Template {
  readonly id: string;
  /** `*`: built in, seen by every project. */
  readonly project_id: string;
  readonly name: string;
  /** Counts its changes. */
  readonly version: number;
  readonly agent_type: string | null;
  /** JSON Schema 2020-12 of the customizations. */
  readonly input_schema: Readonly<Record<string, unknown>>;
  readonly defaults: Readonly<Record<string, unknown>>;
  readonly created_at: string;
  /** When this version was made. */
  readonly updated_at: string;
}

/** What the input of a task says about its template. */
export interface TemplateUse {
  readonly templateId: string;
  /** Null: the newest one. */
  readonly version: number | null;
  readonly customizations: unknown;
}

type Members = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The template that an input names; undefined when it names none.
 * @throws DomainError INVALID_TEMPLATE when `template_id` or `template_version` cannot name one
 */
export function templateUse(input: unknown, place: string): TemplateUse | undefined {
  if (!isObject(input)) return undefined;
  const { template_id: id = null, template_version: version = null, customizations } = input;
  if (id === null) return undefined;
  if (typeof id !== 'string' || !ID_PATTERN.test(id)) {
    throw invalidTemplate(null, null, [
      { path: `${place}/template_id`, message: 'must be the id of a template' },
    ]);
  }
  if (version !== null && !isVersion(version)) {
    throw invalidTemplate(id, null, [
      { path: `${place}/template_version`, message: 'must be a whole number from 1' },
    ]);
  }
  return { templateId: id, version, customizations };
}

/**
 * What was given, over the defaults: objects are merged member by member, anything else that was given takes the place of
 * its default, lists and null too.
 */
export function withDefaults(defaults: unknown, given: unknown): unknown {
  if (given === undefined) return defaults;
  if (!isObject(defaults) || !isObject(given)) return given;
  const names = new Set([...Object.keys(given), ...Object.keys(defaults)]);
  return Object.fromEntries(
    [...names].map((name) => [name, withDefaults(own(defaults, name), own(given, name))]),
  );
}

export function unknownTemplate({ templateId, version }: TemplateUse, place: string): DomainError {
  const problem =
    version === null
      ? {
          path: `${place}/template_id`,
          message: `there is no template '${templateId}'; GET /api/v1/templates lists them`,
        }
      : {
          path: `${place}/template_version`,
          message: `there is no template '${templateId}' of version ${version}`,
        };
  return invalidTemplate(templateId, version, [problem]);
}

/** INVALID_TEMPLATE with everything that is wrong, each with the JSON pointer of its place in the request. */
export function invalidTemplate(
  templateId: string | null,
  version: number | null,
  errors: readonly FieldError[],
): DomainError {
  const [first] = errors;
  const details = { template_id: templateId, template_version: version, errors };
  return new DomainError('INVALID_TEMPLATE', `${first?.path}: ${first?.message}`, details);
}

function own(members: Members, name: string): unknown {
  return Object.hasOwn(members, name) ? members[name] : undefined;
}

function isVersion(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 2_147_483_647;
}
