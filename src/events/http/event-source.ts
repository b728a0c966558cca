import type { ServerResponse } from 'node:http';
import { errorBody } from '../../platform/http/error-body.js';
import { DomainError } from '../../shared/domain-error.js';
import type { Envelope } from '../envelope.js';
import { FrameQueue } from '../realtime/frame-queue.js';
import { eventFrame, type Frame } from '../realtime/frames.js';

/** Proxies cut what is silent for long. */
const HEARTBEAT_MS = 15_000;
/** What goes in one write, in frames and in characters. */
const WRITE_FRAMES = 500;
const WRITE_SIZE = 256 * 1024;
/** How long a client that is cut off may take to read why, in ms. */
const FAREWELL_MS = 5_000;

const HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store, no-transform',
  // Nginx would gather it.
  'X-Accel-Buffering': 'no',
};

/**
 * One reader of Server-Sent Events. An event's `id` is its cursor and `data` the envelope; control frames have an `event:`
 * line and no id. What waits for a reader is bounded: one that cannot keep up is cut, and resumes by `Last-Event-ID`.
 */
export class EventSource {
  private readonly queue = new FrameQueue();
  private readonly closers: (() => void)[] = [];
  private waiting: (() => void)[] = [];
  private readonly heartbeat: NodeJS.Timeout;
  /** The transport has as much as it takes; it tells when it has drained. */
  private full = false;
  private flushing = false;
  private ended = false;

  /** @param headers of the answer, beside those of its kind */
  constructor(
    private readonly response: ServerResponse,
    headers: Readonly<Record<string, number | string | string[] | undefined>>,
    private readonly correlationId: string,
  ) {
    this.heartbeat = setInterval(() => {
      if (!this.full) this.write(': heartbeat\n\n');
    }, HEARTBEAT_MS);
    response.writeHead(200, { ...headers, ...HEADERS });
    response.on('drain', () => {
      this.full = false;
      this.flush();
    });
    response.once('close', () => this.end());
    if (response.closed) this.end();
  }

  /** Where it begins: a reader that is told nothing resumes from here. */
  begin(cursor: string): void {
    this.write(markOf(cursor));
  }

  send(envelope: Envelope): void {
    this.enqueue(eventFrame(envelope));
  }

  gap(gap: { readonly from: string; readonly to: string }): void {
    this.enqueue({ name: 'gap', json: JSON.stringify(gap) });
  }

  replayed(cursor: string): void {
    this.enqueue({ name: 'replay_complete', json: JSON.stringify({ cursor }), cursor });
  }

  /** Ends it, and says why if that is an error. What waits is not sent: the reader resumes from its cursor. */
  close(reason?: DomainError): void {
    if (this.ended) return;
    this.end();
    const { response } = this;
    const farewell = reason && frameOf('error', JSON.stringify(errorBody(reason, this.correlationId)));
    response.end(farewell);
    // Who does not read would keep the connection.
    setTimeout(() => response.destroy(), FAREWELL_MS).unref();
  }

  /** Resolves when little waits for it, or it has ended. */
  ready(): Promise<void> {
    if (this.isLow() || this.ended) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Runs it when the reader is gone; at once, if it is. */
  onClose(run: () => void): void {
    if (this.ended) run();
    else this.closers.push(run);
  }

  private enqueue(frame: Frame): void {
    if (this.ended) return;
    if (!this.queue.push(frame)) {
      const problem = 'This reader cannot keep up; connect again with its Last-Event-ID.';
      return this.close(new DomainError('SLOW_CONSUMER', problem));
    }
    if (this.flushing) return;
    this.flushing = true;
    setImmediate(() => {
      this.flushing = false;
      this.flush();
    });
  }

  /** Hands over what the transport has room for, in few writes. */
  private flush(): void {
    while (!this.full && !this.ended && this.queue.length > 0) {
      const frames = this.queue.take(WRITE_FRAMES, WRITE_SIZE);
      this.write(frames.map(textOf).join(''));
    }
    if (this.isLow()) for (const resolve of this.waiting.splice(0)) resolve();
  }

  private write(text: string): void {
    if (!this.response.write(text)) this.full = true;
  }

  private isLow(): boolean {
    return this.queue.length < WRITE_FRAMES && this.queue.size < WRITE_SIZE;
  }

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    clearInterval(this.heartbeat);
    this.queue.clear();
    for (const resolve of this.waiting.splice(0)) resolve();
    for (const close of this.closers.splice(0)) close();
  }
}

function textOf(frame: Frame): string {
  if (frame.name === 'event') return `id: ${frame.cursor}\ndata: ${frame.json}\n\n`;
  const mark = frame.cursor === undefined ? '' : markOf(frame.cursor);
  return frameOf(frame.name, frame.json) + mark;
}

/** Moves the `Last-Event-ID` of a reader, and tells it nothing. */
function markOf(cursor: string): string {
  return `id: ${cursor}\n\n`;
}

/** JSON holds no line breaks. */
function frameOf(name: string, json: string): string {
  return `event: ${name}\ndata: ${json}\n\n`;
}
