import { applyDecorators, type Type } from '@nestjs/common';
import { ApiProperty, type ApiPropertyOptions } from '@nestjs/swagger';
import { ValidateBy, ValidateNested } from 'class-validator';
import { ID_PATTERN } from '../../shared/ids.js';
import { type Binding, declareBinding } from './field-binding.js';
import {
  booleanCheck,
  type Check,
  choiceCheck,
  listCheck,
  numberCheck,
  objectCheck,
  TIME_PATTERN,
  textCheck,
  timeCheck,
} from './field-checks.js';

/** Marks what only an answer of ours can fill. */
const CURSOR_FORMAT = 'cursor';

/** What every field says of itself: once, for validation and OpenAPI alike. A field is required unless it says otherwise. */
export interface FieldOptions {
  readonly about: string;
  readonly example?: unknown;
  readonly optional?: boolean;
  readonly nullable?: boolean;
  /** Taken where the field is absent; it makes the field optional. */
  readonly default?: unknown;
}

interface TextOptions extends FieldOptions {
  /** Characters at least; default 1. */
  readonly min?: number;
  /** Characters at most. */
  readonly max: number;
  readonly pattern?: RegExp;
}

interface RangeOptions extends FieldOptions {
  readonly min: number;
  readonly max: number;
}

/** A text of `min` to `max` characters. */
export function TextField(options: TextOptions): PropertyDecorator {
  const { min = 1, max, pattern } = options;
  const schema = { type: 'string', minLength: min, maxLength: max, pattern: pattern?.source } as const;
  return field(options, textCheck(min, max, pattern), schema, { reads: 'text' });
}

/** An id as CONTRACT §1 wants it. */
export function IdField(options: FieldOptions): PropertyDecorator {
  const schema = { type: 'string', pattern: ID_PATTERN.source } as const;
  return field(options, textCheck(1, 128, ID_PATTERN), schema, { reads: 'text' });
}

/** A whole number from `min` to `max`. */
export function IntField(options: RangeOptions): PropertyDecorator {
  const schema = { type: 'integer', minimum: options.min, maximum: options.max } as const;
  return field(options, numberCheck(options.min, options.max, true), schema, { reads: 'number' });
}

/** A finite number from `min` to `max`. */
export function NumberField(options: RangeOptions): PropertyDecorator {
  const schema = { type: 'number', minimum: options.min, maximum: options.max } as const;
  return field(options, numberCheck(options.min, options.max, false), schema, { reads: 'number' });
}

export function BooleanField(options: FieldOptions): PropertyDecorator {
  return field(options, booleanCheck, { type: 'boolean' }, { reads: 'boolean' });
}

/** One of a fixed list of words. */
export function ChoiceField(
  options: FieldOptions & { readonly values: readonly string[] },
): PropertyDecorator {
  // OpenAPI 3.0 wants null among the values, too, where a field may be null.
  const values: (string | null)[] =
    options.nullable === true ? [...options.values, null] : [...options.values];
  const schema = { type: 'string', enum: values } as ApiPropertyOptions;
  return field(options, choiceCheck(options.values), schema, { reads: 'text' });
}

/** ISO 8601 date and time with an offset; it stays the text that was sent. */
export function TimeField(options: FieldOptions): PropertyDecorator {
  const schema = { type: 'string', format: 'date-time', pattern: TIME_PATTERN.source } as const;
  return field(options, timeCheck, schema, { reads: 'text' });
}

/** An opaque cursor that an answer of ours held. `check` knows those of its kind. */
export function CursorField(options: FieldOptions & { readonly check: Check }): PropertyDecorator {
  const schema = { type: 'string', minLength: 1, maxLength: 1024, format: CURSOR_FORMAT } as const;
  const isText = textCheck(1, 1024);
  return field(options, (value) => isText(value) ?? options.check(value), schema, { reads: 'text' });
}

/** A free JSON object, kept as it was sent. `maxBytes`: as text, without spaces; JSON Schema has no word for it. */
export function JsonField(options: FieldOptions & { readonly maxBytes?: number }): PropertyDecorator {
  return field(
    options,
    objectCheck(options.maxBytes),
    { type: 'object', additionalProperties: true },
    { reads: 'json' },
  );
}

/** Up to `max` free JSON values, kept as they were sent. */
export function JsonListField(options: FieldOptions & { readonly max: number }): PropertyDecorator {
  const schema = { type: 'array', maxItems: options.max, items: {} } as const;
  return field(options, listCheck(options.max), schema, { reads: 'json' });
}

/** `min` (default 0) to `max` texts, each of 1 to `maxLength` characters; in a query string comma-separated or repeated. */
export function TextListField(
  options: FieldOptions & { min?: number; max: number; maxLength: number; pattern?: RegExp },
): PropertyDecorator {
  const { min = 0, max, maxLength, pattern } = options;
  const items = { type: 'string', minLength: 1, maxLength, pattern: pattern?.source } as const;
  const check = listCheck(max, textCheck(1, maxLength, pattern), min);
  const bounds = { maxItems: max, ...(min === 0 ? {} : { minItems: min }) };
  return field(options, check, { type: 'array', ...bounds, items }, { reads: 'list' });
}

/** An object with declared fields of its own. */
export function NestedField(nested: () => Type<object>, options: FieldOptions): PropertyDecorator {
  // Swagger knows a lazy type by the function's name, which is that of the property.
  const declared = field(options, objectCheck(), { type: () => nested() }, { reads: 'json', nested });
  return applyDecorators(declared, ValidateNested());
}

/** Up to `max` objects with declared fields of their own. */
export function NestedListField(
  nested: () => Type<object>,
  options: FieldOptions & { max: number; min?: number },
): PropertyDecorator {
  const { max, min = 0 } = options;
  const check = listCheck(max, objectCheck());
  const declared = field(
    options,
    (value) =>
      check(value) ??
      (Array.isArray(value) && value.length < min ? `must have at least ${min} items` : undefined),
    { type: () => nested(), isArray: true, maxItems: max, minItems: min },
    { reads: 'json', nested },
  );
  return applyDecorators(declared, ValidateNested({ each: true }));
}

function field(
  options: FieldOptions,
  check: Check,
  schema: ApiPropertyOptions,
  binding: Pick<Binding, 'reads' | 'nested'>,
): PropertyDecorator {
  const { about, example, nullable = false, default: fallback } = options;
  const optional = options.optional === true || fallback !== undefined;
  const problemOf: Check = (value) => {
    if (value === undefined) return optional ? undefined : 'is required';
    return value === null && nullable ? undefined : check(value);
  };
  // One constraint per field instead of one per rule: class-validator costs by the constraint.
  const constraint = ValidateBy({
    name: 'field',
    validator: {
      validate: (value: unknown) => problemOf(value) === undefined,
      defaultMessage: (args) => problemOf(args?.value) ?? '',
    },
  });
  const described = ApiProperty({
    ...schema,
    description: about,
    required: !optional,
    // Undefined entries would be written into the document.
    ...(example === undefined ? {} : { example }),
    ...(nullable ? { nullable } : {}),
    ...(fallback === undefined ? {} : { default: fallback }),
  } as ApiPropertyOptions);
  return applyDecorators(described, constraint, (target: object, property: string | symbol) => {
    const declared = { ...binding, fallback, required: !optional, schema: jsonSchemaOf(schema, options) };
    declareBinding(target.constructor, String(property), declared);
  });
}

/** OpenAPI 3.0 says null and examples in words of its own. */
function jsonSchemaOf(
  schema: ApiPropertyOptions,
  { about, example, nullable, default: fallback }: FieldOptions,
) {
  const { type, ...rest } = schema as { readonly type?: unknown };
  return {
    ...rest,
    ...(typeof type === 'string' ? { type: nullable === true ? [type, 'null'] : type } : {}),
    description: about,
    ...(example === undefined ? {} : { examples: [example] }),
    ...(fallback === undefined ? {} : { default: fallback }),
  };
}
