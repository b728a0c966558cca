import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkJson, parseJson } from './json-body.js';

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
const withKeys = (count: number): string =>
  `{${Array.from({ length: count }, (_, index) => `"k${index}":1`).join(',')}}`;

const exponents = (count: number, exponent: number): string =>
  JSON.stringify(Array.from({ length: count }, () => Number(`1e${exponent}`)));

describe('a JSON body', () => {
  it('is what JSON.parse makes of it, whatever its strings hold', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8, stringUnit: 'binary' }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!/__proto__|constructor|prototype|\\u/.test(text));
        expect(parseJson(text)).toEqual(JSON.parse(text));
      }),
    );
    const tricky = String.raw`{"a\"b":"x:{[\\","c":[{"d":":"}]}`;
    expect(parseJson(tricky)).toEqual(JSON.parse(tricky));
    expect(parseJson('"\\ud83d\\ude00 \\u00e9"')).toBe('😀 é');
  });

  it('may hold a few numbers with large exponents, and any number of others', () => {
    for (const text of [
      exponents(200, 300),
      exponents(200, -300),
      exponents(100_000, 20),
      exponents(100_000, -6),
    ])
      expect(() => parseJson(text)).not.toThrow();
    expect(parseJson('[0,-0,1.5e-17]')).toEqual([0, -0, 1.5e-17]);
  });

  it('may be 32 levels deep and have 10,000 keys', () => {
    expect(() => parseJson(nested(32))).not.toThrow();
    expect(() => parseJson(withKeys(10_000))).not.toThrow();
  });

  it.each([
    ['33 levels', nested(33), 'deeper than 32'],
    ['half a million levels that never close', '['.repeat(500_000), 'deeper than 32'],
    ['10,001 keys', withKeys(10_001), 'more than 10000 keys'],
    ['__proto__', '{"a":[{"__proto__":{}}]}', 'the key __proto__'],
    ['an escaped __proto__', '{"\\u005f_proto__":{}}', 'the key __proto__'],
    ['constructor', '{"constructor":1}', 'the key constructor'],
    ['prototype', '{"prototype":1}', 'the key prototype'],
    ['NUL in a text', '{"a":"x\\u0000"}', 'NUL'],
    ['NUL in a key', '{"a\\u0000":1}', 'NUL'],
    ['a lone high surrogate', '["\\ud83d"]', 'surrogate'],
    ['a lone low surrogate', '["\\ude00x"]', 'surrogate'],
    ['one key twice', '{"a":1,"b":{"a":1,"a":2}}', 'twice'],
    ['a number beyond all', '[1e999]', 'too large'],
    ['numbers that grow when they are stored', exponents(300, 300), 'large exponents'],
    ['small numbers that grow when they are stored', exponents(300, -300), 'large exponents'],
    ['half a document', '{"a":', 'not valid JSON'],
    ['an open string', '{"a', 'not valid JSON'],
    ['nothing', '', 'not valid JSON'],
  ])('with %s is refused', (_, text, reason) => {
    expect(() => parseJson(text)).toThrow(reason);
  });
});

describe('a value that was parsed elsewhere', () => {
  it('may be as deep and have as many keys as a body', () => {
    for (const text of [nested(32), withKeys(10_000), '"x"', 'null'])
      expect(() => checkJson(JSON.parse(text))).not.toThrow();
    expect(() => checkJson(undefined)).not.toThrow();
  });

  it.each([
    ['33 levels', nested(33), 'deeper than 32'],
    ['fifty thousand levels', nested(50_000), 'deeper than 32'],
    ['10,001 keys', withKeys(10_001), 'more than 10000 keys'],
    ['__proto__', '{"a":[{"__proto__":{}}]}', 'the key __proto__'],
    ['NUL in a text', '{"a":"x\\u0000"}', 'NUL'],
    ['a lone high surrogate', '["\\ud83d"]', 'surrogate'],
  ])('with %s is refused', (_, text, reason) => {
    expect(() => checkJson(JSON.parse(text))).toThrow(reason);
  });
});
