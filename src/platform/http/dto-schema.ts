import type { Type } from '@nestjs/common';
import { type Binding, bindingsOf } from './field-binding.js';

/** A DTO class as JSON Schema (2020-12), for documents that are not OpenAPI. */
export function schemaOfDto(type: Type<object>): Readonly<Record<string, unknown>> {
  const fields = [...bindingsOf(type)];
  const required = fields.filter(([, binding]) => binding.required).map(([name]) => name);
  return {
    type: 'object',
    additionalProperties: false,
    ...(required.length === 0 ? {} : { required }),
    properties: Object.fromEntries(fields.map(([name, binding]) => [name, schemaOfField(binding)])),
  };
}

function schemaOfField({ nested, schema }: Binding): Readonly<Record<string, unknown>> {
  if (nested === undefined) return schema;
  const { isArray, ...rest } = schema;
  const inner = schemaOfDto(nested());
  return isArray === true ? { ...rest, type: 'array', items: inner } : { ...inner, ...rest };
}
