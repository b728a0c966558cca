import { io, type Socket } from 'socket.io-client';
import type { Envelope } from '../../src/events/index.js';
import { until } from './wait-for.js';

/** What a message is answered with. */
export interface Ack {
  readonly ok: boolean;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly error?: Readonly<Record<string, unknown>>;
}

export interface Handshake {
  readonly token?: string;
  readonly after?: unknown;
  readonly batch?: boolean;
}

/** A client of `/ws` that keeps all it is told, in the order it was told. */
export class TestSocket {
  readonly events: Envelope[] = [];
  /** Sizes of the arrays that `events` brought. */
  readonly batches: number[] = [];
  readonly told: { readonly name: string; readonly body: Readonly<Record<string, unknown>> }[] = [];
  disconnected: string | undefined;

  private constructor(readonly socket: Socket) {
    socket.on('event', (envelope: Envelope) => this.events.push(envelope));
    socket.on('events', (envelopes: Envelope[]) => {
      this.batches.push(envelopes.length);
      this.events.push(...envelopes);
    });
    for (const name of ['gap', 'replay_complete', 'error']) {
      socket.on(name, (body: Record<string, unknown>) => this.told.push({ name, body }));
    }
    socket.on('disconnect', (reason) => (this.disconnected = reason));
  }

  /** Rejects with the `error` that the handshake is refused with. */
  static async connect(
    url: string,
    auth: Handshake,
    transports: readonly string[] = [],
  ): Promise<TestSocket> {
    const socket = io(url, {
      path: '/ws',
      auth,
      transports: transports.length === 0 ? ['websocket'] : [...transports],
      forceNew: true,
      reconnection: false,
    });
    const one = new TestSocket(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', (error) => {
        socket.disconnect();
        reject(error);
      });
    });
    return one;
  }

  ask(name: string, body?: unknown): Promise<Ack> {
    // What the server acknowledges with, as a client without types sees it.
    const emitter = this.socket.timeout(20_000);
    return (body === undefined ? emitter.emitWithAck(name) : emitter.emitWithAck(name, body)) as Promise<Ack>;
  }

  /** The `data` of a message that must succeed. */
  async do(name: string, body?: unknown): Promise<Readonly<Record<string, unknown>>> {
    const { data, error } = await this.ask(name, body);
    if (data === undefined) throw new Error(`${name} was refused: ${JSON.stringify(error)}`);
    return data;
  }

  /** @returns the id of the subscription */
  async subscribe(topics: readonly string[], more: object = {}): Promise<string> {
    return String((await this.do('subscribe', { topics, ...more }))['subscription_id']);
  }

  bodiesOf(name: string): Readonly<Record<string, unknown>>[] {
    return this.told.filter((one) => one.name === name).map(({ body }) => body);
  }

  has(count: number): Promise<true> {
    return until(() => this.events.length >= count);
  }

  get ids(): string[] {
    return this.events.map(({ id }) => id);
  }

  close(): void {
    this.socket.disconnect();
  }
}

/** The `data.error` of a refused handshake's `connect_error`. */
export async function refusalOf(connecting: Promise<TestSocket>): Promise<Readonly<Record<string, unknown>>> {
  let socket: TestSocket;
  try {
    socket = await connecting;
  } catch (problem) {
    // What the server sends, as a client without types sees it.
    const { data } = problem as { data?: { error?: Record<string, unknown> } };
    return data?.error ?? {};
  }
  socket.close();
  throw new Error('it was let in');
}

/** The sockets that a spec has opened: `closeAll` is for its `afterEach`. */
export class OpenSockets {
  private readonly open: TestSocket[] = [];

  /** As {@link TestSocket.connect}. */
  async connect(...to: Parameters<typeof TestSocket.connect>): Promise<TestSocket> {
    const socket = await TestSocket.connect(...to);
    this.open.push(socket);
    return socket;
  }

  closeAll(): void {
    for (const socket of this.open.splice(0)) socket.close();
  }
}
