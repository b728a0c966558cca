import type { OpenAPIObject } from '@nestjs/swagger';
import { ID_PATTERN } from '../../shared/ids.js';
import type { Operation, PlacedOperation } from './openapi-operations.js';
import { RULES } from './rules.decorator.js';

type Schema = Extract<NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>[string], object>;
type Parameter = Extract<NonNullable<Operation['parameters']>[number], { name: string }>;

const CORRELATION_PARAMETER: Parameter = {
  name: 'X-Correlation-Id',
  in: 'header',
  required: false,
  description: 'Up to 128 visible characters, echoed in the answer and kept with what the request makes.',
  schema: { type: 'string' },
};

/** Says what an operation needs, and of each parameter what all parameters of its kind have in common. */
export function documentRequest(operation: Operation): void {
  const declared = (operation.parameters ?? []).filter((one): one is Parameter => 'name' in one);
  for (const parameter of declared) {
    // Path parameters that say nothing of themselves are ids.
    if (parameter.in !== 'path') continue;
    if (isPlainText(parameter.schema)) parameter.schema = { type: 'string', pattern: ID_PATTERN.source };
    parameter.description ??= 'Its id.';
  }
  // OpenAPI has no place for this header among the parameters: `security` tells of it.
  const shown = declared.filter(({ name }) => name.toLowerCase() !== 'authorization');
  operation.parameters = [...shown, CORRELATION_PARAMETER];
  operation.description = descriptionOf(operation);
}

function isPlainText(schema: Parameter['schema']): boolean {
  return (
    schema === undefined || (Object.keys(schema).length === 1 && 'type' in schema && schema.type === 'string')
  );
}

function descriptionOf(operation: Operation): string {
  const extensions: Record<string, unknown> = { ...operation };
  const scopes = textsOf(extensions['x-scopes']).map((scope) => `\`${scope}\``);
  const access = scopes.length === 0 ? 'Needs no token.' : `Needs the scope ${scopes.join(' or ')}.`;
  return [operation.description ?? '', access, ...textsOf(extensions[RULES])].join('\n\n').trim();
}

function textsOf(extension: unknown): string[] {
  return Array.isArray(extension) ? extension.map(String) : [];
}

/**
 * Undeclared fields of a body are refused, and the document says so. Forms are OAuth's, which wants such fields ignored.
 * Answers stay open: a client must take fields that it does not know.
 */
export function closeBodies(document: OpenAPIObject, operations: readonly PlacedOperation[]): void {
  const schemas = document.components?.schemas ?? {};
  const seen = new Set<string>();
  const close = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return;
    if ('$ref' in part && typeof part.$ref === 'string') {
      const name = part.$ref.split('/').at(-1) ?? '';
      const schema: Schema | undefined = schemas[name];
      if (schema === undefined || seen.has(name)) return;
      seen.add(name);
      if ('properties' in schema) schema.additionalProperties ??= false;
      close(schema);
    } else for (const inner of Object.values(part)) close(inner);
  };
  for (const { operation } of operations) {
    const content =
      operation.requestBody !== undefined && 'content' in operation.requestBody
        ? operation.requestBody.content
        : {};
    if (content['application/x-www-form-urlencoded'] === undefined) close(content);
  }
}
