import type { Socket } from 'socket.io';
import type { Caller } from '../../auth/index.js';
import { errorBody } from '../../platform/http/error-body.js';
import { newId } from '../../platform/new-id.js';
import { DomainError } from '../../shared/domain-error.js';
import type { Cursor } from '../domain/cursor.js';
import type { Envelope } from '../envelope.js';
import { FrameQueue } from './frame-queue.js';
import { eventFrame, type Frame, inBatches, packetOf } from './frames.js';
import type { Wire } from './wires.js';

/** What may lie in the transport's buffer before the queue waits, in packets and in characters. */
const BUFFER = 200;
const BUFFER_SIZE = 1024 * 1024;
/** How long a client that is cut off may take to read why, in ms. */
const FAREWELL_MS = 5_000;
/** Messages that are not answered yet, or whose answers the transport could not take; beyond, no more are read. */
const MOST_UNANSWERED = 1_000;

/** One connected socket: who it is, and what waits to be sent to it. What one tick produces leaves in one write. */
export class Session {
  private readonly queue = new FrameQueue();
  private readonly closers = new Set<() => void>();
  private readonly waiting: (() => void)[] = [];
  /** Packets handed to the transport since it last took all it had, and their characters. */
  private buffered = 0;
  private bufferedSize = 0;
  private flushing = false;
  private ended = false;
  /** Messages that are being answered, and answers that lie in the transport's buffer. */
  private answering = 0;
  private answered = 0;
  private paused = false;
  private readonly renewals: ((caller: Caller) => void)[] = [];

  constructor(
    private readonly socket: Socket,
    private present: Caller,
    private readonly options: { readonly inBatches: boolean; readonly after: Cursor | undefined },
    private readonly wire: Wire,
  ) {
    socket.conn.on('drain', () => {
      this.buffered = 0;
      this.bufferedSize = 0;
      this.answered = 0;
      this.readOn();
      if (this.queue.length > 0) this.schedule();
    });
    socket.once('disconnect', () => this.end());
  }

  /** Who it is, by its newest token. */
  get caller(): Caller {
    return this.present;
  }

  /** Goes on with another token of the same client, which may have other scopes. */
  renew(caller: Caller): void {
    this.present = caller;
    for (const run of this.renewals) run(caller);
  }

  /** Runs it whenever the socket has a new token. */
  onRenew(run: (caller: Caller) => void): void {
    this.renewals.push(run);
  }

  /** The cursor of the handshake: where subscriptions begin that name none. */
  get after(): Cursor | undefined {
    return this.options.after;
  }

  get connected(): boolean {
    return !this.ended;
  }

  /** Queues an event. Several subscriptions that want it live tell it one after the other: it is sent once. */
  send(envelope: Envelope): void {
    const { last } = this.queue;
    if (last?.name === 'event' && last.cursor === envelope.cursor) return;
    this.enqueue(eventFrame(envelope));
  }

  /** Queues an event in a version for this socket alone; it takes the place of the public one, if that still waits. */
  sendPersonal(envelope: Envelope): void {
    const frame = eventFrame(envelope);
    if (!this.queue.replace(frame)) this.enqueue(frame);
  }

  /** Queues a control message: it comes after everything that waits. */
  tell(name: 'gap' | 'replay_complete', body: object): void {
    this.enqueue({ name, json: JSON.stringify(body) });
  }

  /** Tells why, and disconnects. The client can come back and resume from its cursor. */
  close(reason: DomainError): void {
    if (this.ended) return;
    const { conn } = this.socket;
    this.socket.emit('error', errorBody(reason, newId()));
    this.socket.disconnect(true);
    // Who does not read would keep the connection, and all that waits in it, until a ping is missed.
    setTimeout(() => conn.close(true), FAREWELL_MS).unref();
  }

  /** A message has come. A client that asks more than it reads answers is not read for a while. */
  asked(): void {
    this.answering += 1;
    if (this.paused || this.answering + this.answered < MOST_UNANSWERED) return;
    this.paused = true;
    this.wire.pause();
  }

  /** Its answer was handed to the transport. */
  told(): void {
    this.answering -= 1;
    this.answered += 1;
    this.readOn();
  }

  /** Resolves when little waits for this socket, or it is gone. */
  ready(): Promise<void> {
    if (this.isLow() || this.ended) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /**
   * Runs it when the socket is gone; at once, if it is.
   * @returns what forgets `run` again
   */
  onClose(run: () => void): () => void {
    if (this.ended) run();
    else this.closers.add(run);
    return () => this.closers.delete(run);
  }

  private enqueue(frame: Frame): void {
    if (this.ended) return;
    if (this.queue.push(frame)) this.schedule();
    else {
      const problem = 'This connection cannot keep up; connect again with your cursor.';
      this.close(new DomainError('SLOW_CONSUMER', problem));
    }
  }

  private readOn(): void {
    if (!this.paused || this.answering + this.answered >= MOST_UNANSWERED) return;
    this.paused = false;
    this.wire.resume();
  }

  private isLow(): boolean {
    return this.queue.length < BUFFER && this.queue.size < BUFFER_SIZE;
  }

  private schedule(): void {
    if (this.flushing) return;
    this.flushing = true;
    setImmediate(() => {
      this.flushing = false;
      this.flush();
    });
  }

  /** Hands over what the transport has room for. What is left goes when it has drained, which it tells. */
  private flush(): void {
    const frames = this.queue.take(BUFFER - this.buffered, BUFFER_SIZE - this.bufferedSize);
    for (const frame of this.options.inBatches ? inBatches(frames) : frames) {
      this.buffered += 1;
      this.bufferedSize += frame.json.length;
      const { text, options } = packetOf(frame);
      this.socket.conn.write(text, options);
    }
    if (this.isLow()) for (const resolve of this.waiting.splice(0)) resolve();
  }

  private end(): void {
    this.ended = true;
    this.queue.clear();
    for (const resolve of this.waiting.splice(0)) resolve();
    for (const close of this.closers) close();
    this.closers.clear();
  }
}
