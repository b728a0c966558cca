import { describe, expect, it } from '@jest/globals';
import { decodeNotice, encodeNotices } from './notices.js';

describe('notices between processes', () => {
  it('carry the sender, the channel and the keys', () => {
    const [payload = ''] = encodeNotices('me', 'routes', ['1', 'zwölf']);
    expect(decodeNotice(payload)).toEqual({ from: 'me', channel: 'routes', keys: ['1', 'zwölf'] });
  });

  it('need no keys', () => {
    const payloads = encodeNotices('me', 'log', []);
    expect(payloads.map(decodeNotice)).toEqual([{ from: 'me', channel: 'log', keys: [] }]);
  });

  it('are split so that each stays below the 8,000 bytes of a NOTIFY, and lose no key', () => {
    const keys = Array.from({ length: 500 }, (_, n) => `ключ-${n}-${'x'.repeat(n % 90)}`);
    const payloads = encodeNotices('0198c0de-0000-7000-8000-000000000000', 'routes', keys);
    expect(Math.max(...payloads.map((payload) => Buffer.byteLength(payload)))).toBeLessThan(8_000);
    expect(payloads.flatMap((payload) => decodeNotice(payload)?.keys ?? [])).toEqual(keys);
  });

  it.each(['', 'hello', '{}', '[1,2]', '[]', '["only-a-sender"]'])(
    'leave alone what is none of ours: %s',
    (payload) => {
      expect(decodeNotice(payload)).toBeUndefined();
    },
  );
});
