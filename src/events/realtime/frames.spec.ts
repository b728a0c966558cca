import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Envelope } from '../envelope.js';
import { eventFrame, type Frame, inBatches, packetOf } from './frames.js';

const envelope = (payload: Record<string, unknown>): Envelope => ({
  id: 'e1',
  timestamp: '2026-01-01T00:00:00.000Z',
  event_type: 'task.created',
  source_agent: null,
  target_agent: null,
  correlation_id: 'c1',
  payload,
  topic: 'task.coding.created',
  project_id: 'p',
  seq: 1,
  cursor: 'k1',
});

const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.nat().map((n): Frame => ({ name: 'event', cursor: `${n}`, json: `{"n":${n}}` })),
  fc.nat().map((n): Frame => ({ name: 'replay_complete', json: `{"n":${n}}` })),
);

describe('batches', () => {
  it('hold the same in the same order, and no two of them stand side by side', () => {
    fc.assert(
      fc.property(fc.array(frame), (frames) => {
        const batched = inBatches(frames);
        const flat = batched.flatMap(({ name, json }) =>
          name === 'events'
            ? (JSON.parse(json) as unknown[]).map((one) => ({ name: 'event', json: JSON.stringify(one) }))
            : [{ name, json }],
        );
        expect(flat).toEqual(frames.map(({ name, json }) => ({ name, json })));
        expect(batched.some((one, i) => one.name === 'events' && batched[i + 1]?.name === 'events')).toBe(
          false,
        );
        expect(batched.some((one) => one.name === 'event')).toBe(false);
      }),
    );
  });
});

describe('a frame of an event', () => {
  it('is encoded once, however many sockets ask for it', () => {
    const one = envelope({});
    expect(eventFrame(one)).toBe(eventFrame(one));
    expect(eventFrame({ ...one })).not.toBe(eventFrame(one));
  });

  it('is a packet that says what Socket.IO would have said', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (payload) => {
        const one = envelope(payload);
        expect(packetOf(eventFrame(one)).text).toBe(`2${JSON.stringify(['event', one])}`);
      }),
    );
  });

  it('is made for the wire once, too', () => {
    const one = eventFrame(envelope({}));
    expect(packetOf(one)).toBe(packetOf(one));
  });

  // RFC 6455, section 5.2: the length in 7 bits, in 16 after a 126, in 64 after a 127.
  it.each([
    ['a short one', 125, [0x81, 125]],
    ['one of 126 bytes', 126, [0x81, 126, 0, 126]],
    ['the longest of 16 bits', 65_535, [0x81, 126, 0xff, 0xff]],
    ['one byte more', 65_536, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
  ])('is one WebSocket frame: %s', (_name, bytes, head) => {
    const around = '42["event",""]'.length;
    const { text, options } = packetOf({
      name: 'event',
      cursor: 'k',
      json: `"${'x'.repeat(bytes - around)}"`,
    });
    expect(Buffer.concat(options.wsPreEncodedFrame ?? [])).toEqual(
      Buffer.concat([Buffer.from(head), Buffer.from(`4${text}`)]),
    );
  });
});
