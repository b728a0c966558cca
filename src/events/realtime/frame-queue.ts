import type { EventFrame, Frame } from './frames.js';

/** What may wait for one socket, in frames and in characters; more, and the socket is cut and comes back with its cursor. */
const MOST_FRAMES = 10_000;
const MOST_SIZE = 32 * 1024 * 1024;

/** Frames that wait for one socket. */
export class FrameQueue {
  private frames: Frame[] = [];
  /** Of all that waits, in characters. */
  size = 0;

  get length(): number {
    return this.frames.length;
  }

  get last(): Frame | undefined {
    return this.frames.at(-1);
  }

  /** @returns false when there was no room for it */
  push(frame: Frame): boolean {
    if (this.frames.length >= MOST_FRAMES || this.size >= MOST_SIZE) return false;
    this.frames.push(frame);
    this.size += frame.json.length;
    return true;
  }

  /** Puts it where the frame with its cursor waits. @returns false when none does */
  replace(frame: EventFrame): boolean {
    const at = this.frames.findLastIndex((one) => one.name === 'event' && one.cursor === frame.cursor);
    const old = this.frames[at];
    if (old === undefined) return false;
    this.frames[at] = frame;
    this.size += frame.json.length - old.json.length;
    return true;
  }

  /** The first ones: as many frames as may be, and none more once they have reached the size. */
  take(frames: number, size: number): Frame[] {
    let count = 0;
    let left = size;
    for (const { json } of this.frames) {
      if (count >= frames || left <= 0) break;
      count += 1;
      left -= json.length;
    }
    this.size -= size - left;
    return this.frames.splice(0, count);
  }

  clear(): void {
    this.frames = [];
    this.size = 0;
  }
}
