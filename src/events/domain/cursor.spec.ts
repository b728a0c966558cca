import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeCursor, encodeCursor } from './cursor.js';

const epoch = fc.stringMatching(/^[0-9a-f]{12}$/);
const pos = fc.nat({ max: 999_999_999_999_999 });

describe('a cursor', () => {
  it('comes back as it was made', () => {
    fc.assert(
      fc.property(epoch, pos, (e, p) => {
        expect(decodeCursor(encodeCursor({ epoch: e, pos: p }))).toEqual({ epoch: e, pos: p });
      }),
    );
  });

  it('can stand in a URL and in a header as it is', () => {
    fc.assert(
      fc.property(epoch, pos, (e, p) => {
        expect(encodeCursor({ epoch: e, pos: p })).toMatch(/^[\w-]+$/);
      }),
    );
  });

  it('is refused, with its place, when it was not made here', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.string().map((text) => Buffer.from(text).toString('base64url')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect(() => decodeCursor(text, '/here')).toThrow(
          expect.objectContaining({
            code: 'VALIDATION_FAILED',
            details: { errors: [{ path: '/here', message: 'is not an event cursor' }] },
          }),
        );
      }),
    );
  });

  it.each(['2.e.1', '1.e', '1.e.-1', '1.e.1.5', '1.e.1e3', '1.e.', '1.e.1234567890123456'])(
    'is refused: %s',
    (text) => {
      expect(() => decodeCursor(Buffer.from(text).toString('base64url'))).toThrow('is not an event cursor');
    },
  );
});
