import { execFileSync } from 'node:child_process';
import { closeSync, constants, lstatSync, openSync, readSync, rmSync } from 'node:fs';
import { errno } from './errors.js';

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

/**
 * A FIFO beside the cluster. Every instance that uses the server holds it open for writing as long as it lives, and the
 * server's watchdog reads from it: end of file means that the last instance has let go, however it ended. The kernel
 * keeps the count, so nothing of it goes stale when processes are killed. Nothing is ever written.
 */
export class Lifeline {
  private held: number | undefined;

  constructor(private readonly path: string) {}

  /** Counts this process among the users of a server that runs. False = nobody watches over that server. */
  hold(): boolean {
    try {
      // Without a reader at the other end, a FIFO does not open so.
      const fd = openSync(this.path, O_WRONLY | O_NONBLOCK);
      this.drop();
      this.held = fd;
      return true;
    } catch (error) {
      if (['ENXIO', 'ENOENT'].includes(errno(error) ?? '')) return false;
      throw error;
    }
  }

  /** Starts something under a new watchdog, which is given the end to read from. This process holds on from before it. */
  startWatched<T>(start: (readEnd: number) => T): T {
    this.make();
    // The first end to read lets the end to write open; that one lets the watchdog's open without waiting.
    const opener = openSync(this.path, O_RDONLY | O_NONBLOCK);
    this.hold();
    const readEnd = openSync(this.path, O_RDONLY);
    closeSync(opener);
    try {
      return start(readEnd);
    } finally {
      closeSync(readEnd);
    }
  }

  /** Lets go, and says whether that was the last hold. Under the start lock, else the answer is old when it comes. */
  letGo(): boolean {
    this.drop();
    const fd = openSync(this.path, O_RDONLY | O_NONBLOCK);
    try {
      return readSync(fd, Buffer.alloc(1)) === 0;
    } catch (error) {
      if (errno(error) === 'EAGAIN') return false;
      throw error;
    } finally {
      closeSync(fd);
    }
  }

  /** Lets go without asking. */
  drop(): void {
    if (this.held !== undefined) closeSync(this.held);
    this.held = undefined;
  }

  private make(): void {
    const found = lstatSync(this.path, { throwIfNoEntry: false });
    if (found?.isFIFO() === true) return;
    // A copy of the data folder may have turned it into something else.
    rmSync(this.path, { recursive: true, force: true });
    execFileSync('mkfifo', ['-m', '600', this.path]);
  }
}
