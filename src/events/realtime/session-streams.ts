import { Injectable } from '@nestjs/common';
import { DomainError } from '../../shared/domain-error.js';
import type { Cursor } from '../domain/cursor.js';
import type { AnySelection, MailboxSelection, Selection, TopicSelection } from '../domain/selection.js';
import { Envelopes } from '../envelope.js';
import { EventStreams, type OpenStream } from '../event-stream.js';
import type { Session } from './session.js';

/** Topics that a socket is told. */
interface TopicStream {
  readonly selection: TopicSelection | AnySelection;
  /** Says in control messages which stream it is. */
  readonly name: object;
  /** Without it, live only. */
  readonly after: Cursor | undefined;
  /** Does the client know of the replay, and wait for its end? */
  readonly announced: boolean;
}

interface Mailbox {
  readonly selection: MailboxSelection;
  readonly name: object;
  from: Cursor;
  announced: boolean;
  stream: OpenStream | undefined;
}

interface Streams {
  /** Of topics, and not at their end yet. */
  replays: number;
  mailbox: Mailbox | undefined;
}

/**
 * All streams of a socket. While the past of topics is told, the mailbox waits: what it tells is newer, and a client that
 * resumes from the newest cursor it has would miss what lies between. The mailbox itself resumes by what is acknowledged.
 */
@Injectable()
export class SessionStreams {
  private readonly sessions = new WeakMap<Session, Streams>();

  constructor(
    private readonly streams: EventStreams,
    private readonly envelopes: Envelopes,
  ) {}

  /** @returns the stream; it ends with the socket, too */
  openTopics(session: Session, { selection, name, after, announced }: TopicStream): OpenStream {
    const streams = this.of(session);
    let replaying = after !== undefined;
    const caughtUp = (): void => {
      if (!replaying) return;
      replaying = false;
      streams.replays -= 1;
      if (streams.replays === 0) this.resumeMailbox(session);
    };
    if (replaying) {
      streams.replays += 1;
      this.holdMailbox(session);
    }
    const stream = this.open(session, selection, name, after, (cursor) => {
      if (announced) session.tell('replay_complete', { ...name, cursor });
      caughtUp();
    });
    const forget = session.onClose(() => stream.close());
    return {
      cursor: stream.cursor,
      get position() {
        return stream.position;
      },
      close: () => {
        stream.close();
        forget();
        caughtUp();
      },
    };
  }

  /** Tells what is in a mailbox, as soon as topics are at their end. */
  openMailbox(session: Session, mailbox: string, name: object, from: Cursor): void {
    this.of(session).mailbox = { selection: { mailbox }, name, from, announced: false, stream: undefined };
    session.onClose(() => this.closeMailbox(session));
    if (this.of(session).replays === 0) this.resumeMailbox(session);
  }

  closeMailbox(session: Session): void {
    const streams = this.of(session);
    streams.mailbox?.stream?.close();
    streams.mailbox = undefined;
  }

  private holdMailbox(session: Session): void {
    const { mailbox } = this.of(session);
    if (mailbox?.stream === undefined) return;
    mailbox.from = mailbox.stream.position;
    mailbox.stream.close();
    mailbox.stream = undefined;
  }

  private resumeMailbox(session: Session): void {
    const { mailbox } = this.of(session);
    if (mailbox === undefined || !session.connected) return;
    mailbox.stream = this.open(session, mailbox.selection, mailbox.name, mailbox.from, (cursor) => {
      if (!mailbox.announced) session.tell('replay_complete', { ...mailbox.name, cursor });
      mailbox.announced = true;
    });
  }

  private open(
    session: Session,
    selection: Selection,
    name: object,
    after: Cursor | undefined,
    replayed: (cursor: string) => void,
  ): OpenStream {
    return this.streams.open(
      {
        selection,
        event: (event) => session.send(this.envelopes.of(event)),
        gap: (gap) => session.tell('gap', { ...name, ...gap }),
        replayed,
        broken: () => session.close(new DomainError('SERVICE_UNAVAILABLE', 'The log cannot be read now.')),
        ready: () => session.ready(),
      },
      after,
    );
  }

  private of(session: Session): Streams {
    const streams = this.sessions.get(session) ?? { replays: 0, mailbox: undefined };
    this.sessions.set(session, streams);
    return streams;
  }
}
