import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Server, Socket } from 'socket.io';

/** The TCP connections below the WebSockets. */
export class Wires {
  private readonly open = new Set<Duplex>();
  /** Of connections that began with polling, by their id. */
  private readonly upgraded = new Map<string, Duplex>();

  /** From now on, what a connection sends at once leaves in one write: without it each event is a system call. */
  constructor(server: HttpServer, engine: Server['engine']) {
    server.on('upgrade', (request: IncomingMessage, wire: Duplex) => this.add(wire, request.url ?? ''));
    // All that the engine hands to the transport lies between these two, in one turn.
    engine.on('flush', (conn: Socket['conn']) => this.below(conn).cork());
    engine.on('drain', (conn: Socket['conn']) => this.below(conn).uncork());
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

  private below(conn: Socket['conn']): Duplex {
    // `id` is documented; only its type says that it is private.
    return this.upgraded.get(String(conn['id'])) ?? conn.request.socket;
  }
}
