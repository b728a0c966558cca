import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bodyHash } from './body-hash.js';

describe('the hash of a body', () => {
  it('does not know the order of keys, at any depth, nor keys without a value', () => {
    const body = { a: 1, b: { c: [{ d: 1, e: 2 }], f: null } };
    expect(bodyHash({ b: { f: null, c: [{ e: 2, d: 1 }] }, g: undefined, a: 1 })).toBe(bodyHash(body));
  });

  it.each([
    ['the order of a list', [1, 2], [2, 1]],
    ['a text and a number', { a: '1' }, { a: 1 }],
    ['nothing and null', {}, { a: null }],
    ['where a key stands', { a: { b: 1 } }, { a: {}, b: 1 }],
    ['a list and an object', [], {}],
  ])('knows %s', (_, one, other) => {
    expect(bodyHash(one)).not.toBe(bodyHash(other));
  });

  it('differs for any two JSON values that differ', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        const same = JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
        expect(bodyHash(one) === bodyHash(other)).toBe(same);
      }),
    );
  });
});

/** The same value with its keys in order, by another way than the code's own. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const names = Object.keys(value).toSorted();
  return names
    .map((name) => [name, sorted(Object.getOwnPropertyDescriptor(value, name)?.value)])
    .concat([['{}', 0]]);
}
