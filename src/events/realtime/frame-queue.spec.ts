import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FrameQueue } from './frame-queue.js';
import type { EventFrame, Frame } from './frames.js';

const event = (cursor: string, json: string): EventFrame => ({ name: 'event', cursor, json });
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.tuple(fc.nat(9), fc.string()).map(([n, json]) => event(`${n}`, json)),
  fc.string().map((json): Frame => ({ name: 'gap', json })),
);
const sizeOf = (frames: readonly Frame[]): number => frames.reduce((sum, { json }) => sum + json.length, 0);

describe('the queue of a socket', () => {
  it('gives what it was given, in order, and knows what is left', () => {
    const take = fc.tuple(fc.nat(5), fc.nat(20));
    fc.assert(
      fc.property(fc.array(fc.oneof(frame, take)), (steps) => {
        const queue = new FrameQueue();
        const held: Frame[] = [];
        for (const step of steps) {
          if (Array.isArray(step)) expect(queue.take(...step)).toEqual(held.splice(0, within(held, ...step)));
          else {
            expect(queue.push(step)).toBe(true);
            held.push(step);
          }
          expect([queue.length, queue.size, queue.last]).toEqual([held.length, sizeOf(held), held.at(-1)]);
        }
      }),
    );
  });

  it('gives one frame at least where there is room at all, however large it is', () => {
    const queue = new FrameQueue();
    for (const cursor of ['1', '2']) queue.push(event(cursor, 'x'.repeat(1_000)));
    expect(queue.take(10, 1)).toHaveLength(1);
    expect(queue.take(10, 0)).toHaveLength(0);
    expect(queue.take(0, 10)).toHaveLength(0);
    expect(queue.take(10, 1)).toHaveLength(1);
  });

  it('puts a frame in the place of the one with its cursor', () => {
    const queue = new FrameQueue();
    queue.push(event('1', 'a'));
    queue.push(event('2', 'b'));
    expect(queue.replace(event('1', 'longer'))).toBe(true);
    expect(queue.replace(event('3', 'c'))).toBe(false);
    expect(queue.size).toBe(7);
    expect(queue.take(10, 100)).toEqual([event('1', 'longer'), event('2', 'b')]);
    expect(queue.replace(event('1', 'd'))).toBe(false);
  });

  it.each([
    ['frames', 1, 10_000],
    ['characters', 1024 * 1024, 32],
  ])('has no room for too many %s', (_what, size, most) => {
    const queue = new FrameQueue();
    const json = 'x'.repeat(size);
    let pushed = 0;
    while (queue.push(event(String(pushed), json))) pushed += 1;
    expect(pushed).toBe(most);
    queue.take(1, 1);
    expect(queue.push(event('again', json))).toBe(true);
    queue.clear();
    expect([queue.length, queue.size]).toEqual([0, 0]);
  });
});

/** How many of them `take` may give, said once more. */
function within(held: readonly Frame[], frames: number, size: number): number {
  let count = 0;
  while (count < held.length && count < frames && sizeOf(held.slice(0, count)) < size) count += 1;
  return count;
}
