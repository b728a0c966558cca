import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Envelope } from '../envelope.js';
import { type Frame, inBatches } from './frames.js';

const frame: fc.Arbitrary<Frame> = fc.oneof(
  // Only what tells them apart.
  fc.nat().map((n): Frame => ({ name: 'event', body: { cursor: `${n}` } as Envelope })),
  fc.nat().map((n): Frame => ({ name: 'replay_complete', body: { n } })),
);

describe('batches', () => {
  it('hold the same in the same order, and no two of them stand side by side', () => {
    fc.assert(
      fc.property(fc.array(frame), (frames) => {
        const batched = inBatches(frames);
        const flat = batched.flatMap((one): Frame[] =>
          one.name === 'events' ? one.body.map((body) => ({ name: 'event', body })) : [one],
        );
        expect(flat).toEqual(frames);
        expect(batched.some((one, i) => one.name === 'events' && batched[i + 1]?.name === 'events')).toBe(
          false,
        );
        expect(batched.some((one) => one.name === 'event')).toBe(false);
      }),
    );
  });
});
