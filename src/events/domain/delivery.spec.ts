import { describe, expect, it } from '@jest/globals';
import { hopeless, retryAfterSeconds, unanswered, verdictOf } from './delivery.js';

const NOW = Date.parse('2025-01-15T12:00:00Z');
const answered = (status: number, retryAfter?: string, attempt = 1) =>
  verdictOf({ status, retryAfter }, attempt, NOW);

describe('a try of a delivery', () => {
  it.each([200, 201, 202, 204, 299])('has delivered when the answer is %i', (code) =>
    expect(answered(code)).toEqual({ status: 'delivered', code }),
  );

  it.each([301, 302, 307, 308, 304, 400, 401, 404, 408, 429, 500, 503])(
    'is made again when the answer is %i',
    (code) => expect(answered(code)).toMatchObject({ status: 'pending', code, delay: 1 }),
  );

  it('says that a redirect is not followed', () =>
    expect(answered(302)).toMatchObject({
      error: 'the receiver answered 302, and redirects are not followed',
    }));

  it('is the last when the receiver is gone, or no other would help', () => {
    expect(answered(410)).toMatchObject({ status: 'failed', code: 410, gone: true });
    expect(hopeless('why')).toEqual({ status: 'failed', code: null, error: 'why', gone: false });
  });

  it('is followed by the next after 1, 2, 4, 8 … seconds, at most 300', () => {
    const delays = [1, 2, 3, 4, 8, 9, 10, 100, 5_000].map((attempt) => unanswered('why', attempt));
    expect(delays.map((verdict) => verdict.status === 'pending' && verdict.delay)).toEqual([
      1, 2, 4, 8, 128, 256, 300, 300, 300,
    ]);
  });

  it('is followed by the next not before the receiver wants it, and not sooner than without that', () => {
    expect(answered(503, '120')).toMatchObject({ delay: 120 });
    expect(answered(429, 'Wed, 15 Jan 2025 12:01:30 GMT')).toMatchObject({ delay: 90 });
    expect(answered(503, '1', 5)).toMatchObject({ delay: 16 });
    expect(answered(503, 'tomorrow', 5)).toMatchObject({ delay: 16 });
  });
});

describe('Retry-After', () => {
  it.each([
    ['0', 0],
    ['7', 7],
    [' 7 ', 7],
    ['3601', 3_600],
    ['99999999999999999999999', 3_600],
    ['Wed, 15 Jan 2025 12:00:05 GMT', 5],
    ['Wednesday, 15-Jan-25 12:00:05 GMT', 5],
    ['Wed, 15 Jan 2025 11:00:00 GMT', 0],
    ['Sat, 15 Jan 2035 12:00:00 GMT', 3_600],
    ['-7', undefined],
    ['7.5', undefined],
    ['1e3', undefined],
    ['soon', undefined],
    ['2025-01-15T12:00:05Z', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('of %j asks for %j seconds', (text, seconds) => expect(retryAfterSeconds(text, NOW)).toBe(seconds));
});
