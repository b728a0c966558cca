import type { Socket } from 'socket.io';
import type { Caller } from '../../auth/index.js';
import { errorBody } from '../../platform/http/error-body.js';
import { newId } from '../../platform/new-id.js';
import { DomainError } from '../../shared/domain-error.js';
import type { Cursor } from '../domain/cursor.js';
import type { Envelope } from '../envelope.js';
import { type Frame, inBatches } from './frames.js';

/** Frames that may wait for one socket; one more, and the socket is cut and comes back with its cursor. */
const QUEUE = 10_000;
/** Packets that may lie in the transport's buffer before the queue waits. */
const BUFFER = 200;

/** One connected socket: who it is, and what waits to be sent to it. What one tick produces leaves in one write. */
export class Session {
  private readonly queue: Frame[] = [];
  private readonly closers = new Set<() => void>();
  private readonly waiting: (() => void)[] = [];
  /** Packets handed to the transport since it last took all it had. */
  private buffered = 0;
  private flushing = false;
  private ended = false;

  constructor(
    private readonly socket: Socket,
    readonly caller: Caller,
    private readonly options: { readonly inBatches: boolean; readonly after: Cursor | undefined },
  ) {
    socket.conn.on('drain', () => {
      this.buffered = 0;
      if (this.queue.length > 0) this.schedule();
    });
    socket.once('disconnect', () => this.end());
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
    const last = this.queue.at(-1);
    if (last?.name === 'event' && last.body.cursor === envelope.cursor) return;
    this.enqueue({ name: 'event', body: envelope });
  }

  /** Queues an event in a version for this socket alone; it takes the place of the public one, if that still waits. */
  sendPersonal(envelope: Envelope): void {
    const at = this.queue.findLastIndex(
      ({ name, body }) => name === 'event' && body.cursor === envelope.cursor,
    );
    if (at >= 0) this.queue[at] = { name: 'event', body: envelope };
    else this.enqueue({ name: 'event', body: envelope });
  }

  /** Queues a control message: it comes after everything that waits. */
  tell(name: 'gap' | 'replay_complete', body: object): void {
    this.enqueue({ name, body });
  }

  /** Tells why, and disconnects. The client can come back and resume from its cursor. */
  close(reason: DomainError): void {
    if (this.ended) return;
    this.socket.emit('error', errorBody(reason, newId()));
    this.socket.disconnect(true);
  }

  /** Resolves when little waits for this socket, or it is gone. */
  ready(): Promise<void> {
    if (this.queue.length < BUFFER || this.ended) return Promise.resolve();
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
    if (this.queue.length < QUEUE) {
      this.queue.push(frame);
      this.schedule();
    } else {
      const problem = 'This connection cannot keep up; connect again with your cursor.';
      this.close(new DomainError('SLOW_CONSUMER', problem));
    }
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
    const frames = this.queue.splice(0, BUFFER - this.buffered);
    for (const { name, body } of this.options.inBatches ? inBatches(frames) : frames) {
      this.buffered += 1;
      this.socket.emit(name, body);
    }
    if (this.queue.length < BUFFER) for (const resolve of this.waiting.splice(0)) resolve();
  }

  private end(): void {
    this.ended = true;
    this.queue.length = 0;
    for (const resolve of this.waiting.splice(0)) resolve();
    for (const close of this.closers) close();
    this.closers.clear();
  }
}
