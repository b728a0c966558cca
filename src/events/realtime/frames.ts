import type { Envelope } from '../envelope.js';

export interface EventFrame {
  readonly name: 'event';
  readonly cursor: string;
  readonly json: string;
}

interface ControlFrame {
  readonly name: 'gap' | 'replay_complete';
  readonly json: string;
  /** All that is wanted up to here is told. */
  readonly cursor?: string;
}

/** What waits to be sent to a reader; `json` is its body. */
export type Frame = EventFrame | ControlFrame;

interface Batch {
  readonly name: 'events';
  readonly json: string;
}

const encoded = new WeakMap<Envelope, EventFrame>();

/** The envelope's frame; encoded once, however many sockets it goes to. */
export function eventFrame(envelope: Envelope): EventFrame {
  const known = encoded.get(envelope);
  if (known !== undefined) return known;
  const frame: EventFrame = { name: 'event', cursor: envelope.cursor, json: JSON.stringify(envelope) };
  encoded.set(envelope, frame);
  return frame;
}

/** The same in the same order, with each run of events as one. */
export function inBatches(frames: readonly Frame[]): (Frame | Batch)[] {
  const all: (Frame | Batch)[] = [];
  let run: string[] = [];
  const endRun = (): void => {
    if (run.length > 0) all.push({ name: 'events', json: `[${run.join(',')}]` });
    run = [];
  };
  for (const frame of frames) {
    if (frame.name === 'event') run.push(frame.json);
    else {
      endRun();
      all.push(frame);
    }
  }
  endRun();
  return all;
}

/** A frame as Socket.IO's protocol has it: an EVENT (2) of the main namespace, with one argument. */
export function packetOf({ name, json }: Frame | Batch): string {
  return `2["${name}",${json}]`;
}
