import type { Envelope } from '../envelope.js';

/** What waits to be sent to a socket. */
export type Frame =
  | { readonly name: 'event'; readonly body: Envelope }
  | { readonly name: 'gap' | 'replay_complete'; readonly body: object };

interface Batch {
  readonly name: 'events';
  readonly body: Envelope[];
}

/** The same in the same order, with each run of events as one. */
export function inBatches(frames: readonly Frame[]): (Frame | Batch)[] {
  const all: (Frame | Batch)[] = [];
  for (const frame of frames) {
    const last = all.at(-1);
    if (frame.name !== 'event') all.push(frame);
    else if (last?.name === 'events') last.body.push(frame.body);
    else all.push({ name: 'events', body: [frame.body] });
  }
  return all;
}
