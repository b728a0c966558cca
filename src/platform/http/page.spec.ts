import { describe, expect, it } from '@jest/globals';
import { decodeCursor, encodeCursor, pageKeyOf, pageOf, partsOf } from './page.js';

const createdAt = '2025-01-15T12:00:00.000Z';

describe('a page', () => {
  const keyOf = (id: string): { createdAt: string; id: string } => ({ createdAt, id });

  it('has a cursor to the next one when a row more than asked for was read', () => {
    const page = pageOf(['c', 'b', 'a'], 2, keyOf, (id) => ({ id }));
    expect(page.items).toEqual([{ id: 'c' }, { id: 'b' }]);
    expect(decodeCursor(page.next_cursor ?? undefined)).toEqual({ createdAt, id: 'b' });
  });

  it('is the last when nothing is left', () => {
    expect(pageOf(['b', 'a'], 2, keyOf, (id) => ({ id })).next_cursor).toBeNull();
    expect(pageOf([], 2, keyOf, (id) => ({ id }))).toEqual({ items: [], next_cursor: null });
  });
});

describe('a cursor', () => {
  it('survives the way to the client and back', () => {
    expect(decodeCursor(encodeCursor({ createdAt, id: 'proj-456/agent-001' }))).toEqual({
      createdAt,
      id: 'proj-456/agent-001',
    });
    expect(decodeCursor(undefined)).toBeUndefined();
  });

  it('tells rows of several projects apart that have one id', () => {
    const key = pageKeyOf({ id: 'task-1', project_id: 'proj-456', created_at: createdAt });
    expect(key.createdAt).toBe(createdAt);
    expect(partsOf(key)).toEqual({ id: 'task-1', project: 'proj-456' });
    expect(partsOf({ createdAt, id: 'of-another-list' })).toEqual({ id: 'of-another-list', project: '' });
  });

  it.each([
    '',
    'x',
    '%%%',
    Buffer.from(`${createdAt} a b`).toString('base64url'),
    Buffer.from('2025-13-45T99:99:99.000Z a').toString('base64url'),
    Buffer.from(`${createdAt} a\0`).toString('base64url'),
  ])('that was not made here is refused: %j', (cursor) => {
    expect(() => decodeCursor(cursor)).toThrow('/cursor: is not a cursor of this list');
  });
});
