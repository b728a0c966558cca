import type { OpenAPIObject } from '@nestjs/swagger';
import type { PlacedOperation } from './openapi-operations.js';

/** Links every 201 to what can be done with what was created: clients and fuzzers go from the POST to its GET, PATCH, DELETE. */
export function linkCreations(document: OpenAPIObject, operations: readonly PlacedOperation[]): void {
  for (const { path, method, operation } of operations) {
    const created = operation.responses['201'];
    if (method !== 'post' || created === undefined || !('description' in created)) continue;
    const item = [`${path}/{id}`, path.replace(/[^/]+$/, '{id}')].find((one) => one in document.paths);
    const idField = idFieldOf(document, created.content?.['application/json']?.schema);
    if (item === undefined || idField === undefined) continue;
    const uses = operations.filter((one) => one.path === item || one.path.startsWith(`${item}/`));
    created.links = Object.fromEntries(
      uses.map(({ operation: { operationId = '' } }) => [
        operationId,
        { operationId, parameters: { 'path.id': `$response.body#/${idField}` } },
      ]),
    );
  }
}

/** `id`, or what the resource calls it instead: the first field of its schema that ends in `_id`. */
function idFieldOf(document: OpenAPIObject, schema: object | undefined): string | undefined {
  if (schema === undefined || !('$ref' in schema) || typeof schema.$ref !== 'string') return undefined;
  const resource = document.components?.schemas?.[schema.$ref.split('/').at(-1) ?? ''];
  if (resource === undefined || !('properties' in resource)) return undefined;
  const fields = Object.keys(resource.properties ?? {});
  return fields.find((name) => name === 'id') ?? fields.find((name) => name.endsWith('_id'));
}
