import type { Socket } from 'socket.io';
import type { Caller } from '../../auth/index.js';
import { errorBody } from '../../platform/http/error-body.js';
import { newId } from '../../platform/new-id.js';
import { DomainError } from '../../shared/domain-error.js';
import type { Cursor } from '../domain/cursor.js';
import type { Envelope } from '../envelope.js';

/** Envelopes that may wait for one socket; one more, and the socket is cut and comes back with its cursor. */
const QUEUE = 10_000;
/** Packets that may lie in the transport's buffer before the queue waits. */
const BUFFER = 200;

/** One connected socket: who it is, and what waits to be sent to it. What one tick produces leaves in one write. */
export class Session {
  /** By position in the log: an event that several subscriptions want is sent once. */
  private readonly queue = new Map<string, Envelope>();
  private readonly closers = new Set<() => void>();
  private readonly waiting: (() => void)[] = [];
  private flushing = false;
  private cut = false;

  constructor(
    private readonly socket: Socket,
    readonly caller: Caller,
    private readonly options: { readonly inBatches: boolean; readonly after: Cursor | undefined },
  ) {
    socket.conn.on('drain', () => this.flush());
    socket.once('disconnect', () => this.end());
  }

  /** The cursor of the handshake: where subscriptions begin that name none. */
  get after(): Cursor | undefined {
    return this.options.after;
  }

  get connected(): boolean {
    return this.socket.connected;
  }

  /** Queues an event. One that still waits is replaced: a personal version takes the place of the public one. */
  send(envelope: Envelope): void {
    if (this.cut) return;
    const known = this.queue.get(envelope.cursor);
    if (known !== undefined && known.payload['task'] !== undefined && envelope.payload['task'] === undefined)
      return;
    this.queue.set(envelope.cursor, envelope);
    if (this.queue.size > QUEUE) this.cutOff();
    else this.schedule();
  }

  /** Sends a control message after everything that waits: `gap`, `replay_complete`. */
  tell(name: 'gap' | 'replay_complete', body: unknown): void {
    this.flush(true);
    this.socket.emit(name, body);
  }

  /** Too slow: told so, and disconnected. It can resume from its cursor. */
  cutOff(): void {
    if (this.cut) return;
    this.cut = true;
    const refusal = new DomainError(
      'SLOW_CONSUMER',
      'This connection cannot keep up; connect again with your cursor.',
    );
    this.close(refusal);
  }

  close(reason: DomainError): void {
    this.socket.emit('error', errorBody(reason, newId()));
    this.socket.disconnect(true);
  }

  /** Resolves when little waits for this socket, or it is gone. */
  ready(): Promise<void> {
    if (this.queue.size < BUFFER || !this.connected) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** @returns what forgets `run` again */
  onClose(run: () => void): () => void {
    this.closers.add(run);
    return () => this.closers.delete(run);
  }

  private schedule(): void {
    if (this.flushing) return;
    this.flushing = true;
    setImmediate(() => {
      this.flushing = false;
      this.flush();
    });
  }

  private flush(all = false): void {
    const { writeBuffer } = this.socket.conn as unknown as { writeBuffer: readonly unknown[] };
    if (this.options.inBatches && this.queue.size > 0 && (all || writeBuffer.length < BUFFER)) {
      this.socket.emit('events', [...this.queue.values()]);
      this.queue.clear();
    }
    for (const [key, envelope] of this.queue) {
      if (!all && writeBuffer.length >= BUFFER) return;
      this.queue.delete(key);
      this.socket.emit('event', envelope);
    }
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  private end(): void {
    this.queue.clear();
    for (const resolve of this.waiting.splice(0)) resolve();
    for (const close of this.closers) close();
    this.closers.clear();
  }
}
