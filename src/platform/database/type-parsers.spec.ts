import { describe, expect, it } from '@jest/globals';
import { isoTime } from './type-parsers.js';

describe('a time as Postgres writes it', () => {
  it.each([
    ['2026-11-23 00:38:09.166123+00', '2026-11-23T00:38:09.166Z'],
    ['2026-11-23 00:38:09.1+00', '2026-11-23T00:38:09.100Z'],
    ['2026-11-23 00:38:09+00', '2026-11-23T00:38:09.000Z'],
  ])('%s is read as %s', (text, iso) => {
    expect(isoTime(text)).toBe(iso);
  });
});
