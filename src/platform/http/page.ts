import { applyDecorators, type Type } from '@nestjs/common';
import { ApiExtraModels, ApiOkResponse, getSchemaPath } from '@nestjs/swagger';
import { validationFailed } from '../../shared/domain-error.js';
import { type Check, timeCheck } from './field-checks.js';

/** One page of a list, newest first. */
export interface Page<T> {
  readonly items: T[];
  /** Opaque; null on the last page. */
  readonly next_cursor: string | null;
}

/** The row a page ended with: the next page begins behind it, whatever was inserted meanwhile. */
export interface PageKey {
  /** ISO 8601 with milliseconds. */
  readonly createdAt: string;
  readonly id: string;
}

/** Printable ASCII: ids, and client ids of the form project/id. */
const KEY_ID = /^[\x21-\x7e]{1,300}$/;

/** The key of a row whose id is unique in its project only. */
export function pageKeyOf(row: {
  readonly id: string;
  readonly project_id: string;
  readonly created_at: string;
}): PageKey {
  return { createdAt: row.created_at, id: `${row.id}/${row.project_id}` };
}

/** Id and project of such a key. That of another list has no project: then nothing stands behind it at the same instant. */
export function partsOf(key: PageKey): { readonly id: string; readonly project: string } {
  const [id = '', project = ''] = key.id.split('/');
  return { id, project };
}

/**
 * The page of rows that were read with `LIMIT limit + 1`: one row too many says that there is a next page.
 * @param keyOf the key of a row, as the list's ORDER BY has it
 * @param isCut there are more, although fewer were read
 */
export function pageOf<Row, T>(
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => PageKey,
  show: (row: Row) => T,
  isCut = false,
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const more = (isCut || rows.length > limit) && last !== undefined;
  return { items: shown.map((row) => show(row)), next_cursor: more ? encodeCursor(keyOf(last)) : null };
}

export function encodeCursor({ createdAt, id }: PageKey): string {
  return Buffer.from(`${createdAt} ${id}`).toString('base64url');
}

/** The key inside a cursor; undefined for none. @throws DomainError VALIDATION_FAILED for one that was not made here */
export function decodeCursor(cursor: string | undefined): PageKey | undefined {
  if (cursor === undefined) return undefined;
  const key = keyIn(cursor);
  if (key === undefined) throw validationFailed([{ path: '/cursor', message: NOT_OURS }]);
  return key;
}

/** For the field that takes it: 400 comes before the refusals that only looking can give. */
export const pageCursorCheck: Check = (value) =>
  typeof value === 'string' && keyIn(value) !== undefined ? undefined : NOT_OURS;

const NOT_OURS = 'is not a cursor of this list';

function keyIn(cursor: string): PageKey | undefined {
  const [createdAt = '', id = '', ...rest] = Buffer.from(cursor, 'base64url').toString().split(' ');
  const isOurs = timeCheck(createdAt) === undefined && KEY_ID.test(id) && rest.length === 0;
  return isOurs ? { createdAt, id } : undefined;
}

/** Documents an answer as a page of `item`. */
export function ApiPage(item: Type<unknown>): MethodDecorator {
  return applyDecorators(
    ApiExtraModels(item),
    ApiOkResponse({
      description: 'One page, newest first.',
      schema: {
        type: 'object',
        required: ['items', 'next_cursor'],
        properties: {
          items: { type: 'array', items: { $ref: getSchemaPath(item) } },
          next_cursor: {
            type: 'string',
            nullable: true,
            description: 'Cursor of the next page; null on the last.',
          },
        },
      },
    }),
  );
}
