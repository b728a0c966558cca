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

/** A packet as the transport takes it. */
export interface Packet {
  /** An EVENT (2) of Socket.IO's main namespace, with one argument. */
  readonly text: string;
  /** For WebSockets: the bytes that are written, so that they are not made again for each of them. */
  readonly options: { readonly compress: false; readonly wsPreEncodedFrame?: readonly Buffer[] };
}

const UNENCODED: Packet['options'] = { compress: false };
const packets = new WeakMap<EventFrame, Packet>();

/** What is written for a frame; for an event it is made once, however many sockets it goes to. */
export function packetOf(frame: Frame | Batch): Packet {
  const known = frame.name === 'event' ? packets.get(frame) : undefined;
  if (known !== undefined) return known;
  const text = `2["${frame.name}",${frame.json}]`;
  if (frame.name !== 'event') return { text, options: UNENCODED };
  const packet: Packet = { text, options: { compress: false, wsPreEncodedFrame: [webSocketFrame(text)] } };
  packets.set(frame, packet);
  return packet;
}

/** A message (4) of Engine.IO, as one unmasked text frame (RFC 6455, section 5.2). */
function webSocketFrame(text: string): Buffer {
  const payload = Buffer.from(`4${text}`);
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = 0x81;
  head[1] = head.length === 2 ? length : head.length === 4 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}
