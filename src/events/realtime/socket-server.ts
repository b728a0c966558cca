import type { Server as HttpServer } from 'node:http';
import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { type AbstractHttpAdapter, HttpAdapterHost } from '@nestjs/core';
import { Server, type Socket } from 'socket.io';
import { AppConfig } from '../../../config/app-config.js';
import { type Caller, ConnectedCallers, Tokens } from '../../auth/index.js';
import { errorBody } from '../../platform/http/error-body.js';
import { loggedRefusal } from '../../platform/http/logged-refusal.js';
import { newId } from '../../platform/new-id.js';
import { DomainError, validationFailed } from '../../shared/domain-error.js';
import { decodeCursor, type Cursor } from '../domain/cursor.js';
import { type Acknowledgement, Messages } from './messages.js';
import { Session } from './session.js';
import { Sessions } from './sessions.js';
import { Wires } from './wires.js';

const FRAME_BYTES = 100_000;
const PING_MS = 30_000;
/** How long clients may take to say goodbye when the server stops, in ms. */
const FAREWELL_MS = 500;
/** How long a connection may take to log in, in ms, and how long a refused one may take to read why. */
const LOGIN_MS = 10_000;
const REFUSED_MS = 1_000;
/** Connections beyond the limit that are heard at all: they are told why they are refused. */
const SPARE = 500;

/**
 * Socket.IO at /ws. It stands on the HTTP server directly: Nest's gateway wiring costs 2.5 × the memory per socket and
 * 2–3 × the CPU per acknowledged message (docs/decisions/0008). Handlers are attached once, at `connection`.
 */
@Injectable()
export class SocketServer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private io: Server | undefined;
  /** The connections that were let in. */
  private readonly admitted = new Set<Socket['conn']>();
  private wires: Wires | undefined;

  constructor(
    private readonly host: HttpAdapterHost<AbstractHttpAdapter<HttpServer>>,
    private readonly config: AppConfig,
    private readonly tokens: Tokens,
    private readonly callers: ConnectedCallers,
    private readonly messages: Messages,
    private readonly sessions: Sessions,
  ) {}

  onApplicationBootstrap(): void {
    if (!this.config.servesApi) return;
    const server = this.host.httpAdapter.getHttpServer();
    this.io = new Server(server, {
      path: '/ws',
      serveClient: false,
      perMessageDeflate: false,
      maxHttpBufferSize: FRAME_BYTES,
      pingInterval: PING_MS,
      connectTimeout: LOGIN_MS,
      allowRequest: (_request, decide) => decide(this.noRoom, this.hasRoom()),
    });
    const wires = new Wires(server, this.io.engine);
    this.wires = wires;
    this.io.use((socket, next) => {
      this.admit(socket).then(
        (caller) => {
          socket.data = caller;
          next();
        },
        (error: unknown) => {
          next(refusal(error));
          this.dismiss(socket.conn);
        },
      );
    });
    // `socket.data` is what `admit` put there.
    this.io.on('connection', (socket) => this.connect(socket, socket.data as Caller, wires));
  }

  /** Ends the connections, not the sockets: a client then comes back by itself, to the next server. */
  beforeApplicationShutdown(): void {
    this.io?.engine.close();
    // A client that has stopped reading would hold the HTTP server open.
    setTimeout(() => this.wires?.destroy(), FAREWELL_MS).unref();
  }

  private get noRoom(): string {
    return `This server holds ${this.config.env.WS_MAX_CONNECTIONS} sockets, and no more.`;
  }

  /** For those that are let in, and for some that are told why they are not. */
  private hasRoom(): boolean {
    return (this.io?.engine.clientsCount ?? 0) < this.config.env.WS_MAX_CONNECTIONS + SPARE;
  }

  /** A refused connection goes, whether its client does or not; one that has its socket already keeps it. */
  private dismiss(conn: Socket['conn']): void {
    setTimeout(() => {
      if (!this.admitted.has(conn)) conn.close(true);
    }, REFUSED_MS).unref();
  }

  private async admit(socket: Socket): Promise<Caller> {
    const { token, ...auth }: Record<string, unknown> = socket.handshake.auth;
    if (typeof token !== 'string')
      throw new DomainError('AUTHENTICATION_FAILED', 'The handshake needs auth.token.');
    cursorIn(auth);
    const caller = await this.tokens.authenticate(token);
    await this.callers.assertPresent(caller);
    const { conn } = socket;
    if (this.admitted.has(conn)) throw new DomainError('CONFLICT', 'This connection has its socket.');
    const limit = this.config.env.WS_MAX_CONNECTIONS;
    if (this.admitted.size >= limit) throw new DomainError('SERVICE_UNAVAILABLE', this.noRoom, { limit });
    if (conn.readyState !== 'open') throw new DomainError('CONFLICT', 'The connection has ended.');
    this.admitted.add(conn);
    conn.once('close', () => this.admitted.delete(conn));
    return caller;
  }

  private connect(socket: Socket, caller: Caller, wires: Wires): void {
    const auth: Record<string, unknown> = socket.handshake.auth;
    const options = { inBatches: auth['batch'] === true, after: cursorIn(auth) };
    forgetHandshake(socket);
    const session = new Session(socket, caller, options, wires.of(socket.conn));
    const watch = this.callers.connected(caller, (reason) => session.close(reason));
    session.onRenew((renewed) => watch.renew(renewed));
    session.onClose(() => watch.forget());
    socket.onAny((name: string, ...args: unknown[]) => {
      const acknowledge = args.at(-1);
      const body = typeof args[0] === 'function' ? undefined : args[0];
      session.asked();
      void this.messages.answer(name, session, body).then((answer) => {
        if (typeof acknowledge === 'function') (acknowledge as (answer: Acknowledgement) => void)(answer);
        else if (!answer.ok) socket.emit('error', { error: answer.error });
        session.told();
      });
    });
    this.sessions.opened(session);
  }
}

/** Nobody looks at it again, and with its request and its token it is a third of what an idle socket costs. */
function forgetHandshake({ conn, handshake }: Socket): void {
  Object.assign(handshake, { headers: {}, auth: {}, query: {} });
  // As Socket.IO's page on memory usage has it; the property's type does not know.
  Object.assign(conn, { request: null });
}

/** The cursor of the handshake, for subscriptions that name none. @throws DomainError VALIDATION_FAILED */
function cursorIn(auth: Record<string, unknown>): Cursor | undefined {
  const after = auth['after'];
  if (after === undefined || after === null) return undefined;
  if (typeof after === 'string') return decodeCursor(after);
  throw validationFailed([{ path: '/after', message: 'is not an event cursor' }]);
}

/** What `connect_error` carries: the standard error in `data.error`. */
function refusal(error: unknown): Error {
  const correlationId = newId();
  const known = loggedRefusal(error, correlationId);
  return Object.assign(new Error(known.message), { data: errorBody(known, correlationId) });
}
