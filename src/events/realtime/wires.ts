import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Server, Socket } from 'socket.io';

/** What one connection's owner may do to its wire. */
export interface Wire {
  /** Reads no more from a WebSocket until it may: what the client sends waits with the client. */
  pause(): void;
  resume(): void;
}

/** How long a client may take to answer the end of its connection, in ms: WebSockets are closed by both sides. */
const CLOSING_MS = 1_000;

/** The TCP connections below the WebSockets. */
export class Wires {
  private readonly open = new Set<Duplex>();
  /** What each connection began on. */
  private readonly first = new WeakMap<Socket['conn'], Duplex>();
  /** Of connections that began with polling, by their id. */
  private readonly upgraded = new Map<string, Duplex>();

  /** From now on, what a connection sends at once leaves in one write: without it each event is a system call. */
  constructor(server: HttpServer, engine: Server['engine']) {
    server.on('upgrade', (request: IncomingMessage, wire: Duplex) => this.add(wire, request.url ?? ''));
    engine.on('connection', (conn: Socket['conn']) => {
      this.first.set(conn, conn.request.socket);
      conn.once('close', () => {
        const wire = this.own(conn);
        setTimeout(() => wire?.destroy(), CLOSING_MS).unref();
      });
    });
    // All that the engine hands to the transport lies between these two, in one turn.
    engine.on('flush', (conn: Socket['conn']) => this.below(conn)?.cork());
    engine.on('drain', (conn: Socket['conn']) => this.below(conn)?.uncork());
  }

  of(conn: Socket['conn']): Wire {
    return { pause: () => this.own(conn)?.pause(), resume: () => this.own(conn)?.resume() };
  }

  destroy(): void {
    for (const wire of this.open) wire.destroy();
  }

  private add(wire: Duplex, url: string): void {
    const id = /[?&]sid=([\w-]+)/.exec(url)?.[1];
    this.open.add(wire);
    if (id !== undefined) this.upgraded.set(id, wire);
    wire.once('close', () => {
      this.open.delete(wire);
      if (id !== undefined && this.upgraded.get(id) === wire) this.upgraded.delete(id);
    });
  }

  private below(conn: Socket['conn']): Duplex | undefined {
    return this.upgradedOf(conn) ?? this.first.get(conn);
  }

  /** Undefined for one that polls: its client may use the same wire for other requests. */
  private own(conn: Socket['conn']): Duplex | undefined {
    const first = this.first.get(conn);
    return this.upgradedOf(conn) ?? (first !== undefined && this.open.has(first) ? first : undefined);
  }

  private upgradedOf(conn: Socket['conn']): Duplex | undefined {
    // `id` is documented; only its type says that it is private.
    return this.upgraded.get(String(conn['id']));
  }
}
