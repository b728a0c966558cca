import { Injectable, type OnModuleInit } from '@nestjs/common';
import { allows } from '../../auth/index.js';
import { newId } from '../../platform/new-id.js';
import { DomainError, notFound } from '../../shared/domain-error.js';
import { decodeCursor, type Cursor } from '../domain/cursor.js';
import { assertFilter } from '../domain/event-filter.js';
import type { TopicSelection } from '../domain/selection.js';
import { topicPattern } from '../domain/topic-pattern.js';
import type { OpenStream } from '../event-stream.js';
import { Messages } from './messages.js';
import { SessionStreams } from './session-streams.js';
import type { Session } from './session.js';
import { SubscribeDto, UnsubscribeDto } from './subscribe.dto.js';

/** Subscriptions of one socket at most. */
const PER_SESSION = 100;

/** What sockets subscribe to; it ends with the socket. */
@Injectable()
export class SocketSubscriptions implements OnModuleInit {
  private readonly open = new WeakMap<Session, Map<string, OpenStream>>();

  constructor(
    private readonly messages: Messages,
    private readonly streams: SessionStreams,
  ) {}

  onModuleInit(): void {
    this.messages.register({
      name: 'subscribe',
      about: 'Tells this socket the events of some topics, from a cursor on or live',
      scopes: ['events:read'],
      dto: SubscribeDto,
      handle: (session, { topics, filters: filter = {}, after }) => {
        const begin = after === undefined ? session.after : decodeCursor(after);
        const patterns = topics.map((topic, index) => topicPattern(topic, `/topics/${index}`));
        assertFilter(filter, '/filters');
        return this.subscribe(session, { projectId: session.caller.projectId, patterns, filter }, begin);
      },
    });
    this.messages.register({
      name: 'unsubscribe',
      about: 'Ends a subscription of this socket',
      scopes: ['events:read'],
      dto: UnsubscribeDto,
      handle: (session, { subscription_id: id }) => {
        const subscriptions = this.open.get(session);
        const stream = subscriptions?.get(id);
        if (stream === undefined) throw notFound('subscription', id);
        stream.close();
        subscriptions?.delete(id);
        return {};
      },
    });
  }

  /** @returns the subscription's id, and the cursor after which it begins */
  private subscribe(
    session: Session,
    selection: TopicSelection,
    after: Cursor | undefined,
  ): { subscription_id: string; cursor: string } {
    const subscriptions = this.open.get(session) ?? this.begin(session);
    if (subscriptions.size >= PER_SESSION) {
      throw new DomainError('CONFLICT', `A connection has ${PER_SESSION} subscriptions at most.`);
    }
    const id = newId();
    const name = { subscription_id: id };
    const stream = this.streams.openTopics(session, { selection, name, after, announced: true });
    subscriptions.set(id, stream);
    return { subscription_id: id, cursor: stream.cursor };
  }

  private begin(session: Session): Map<string, OpenStream> {
    const subscriptions = new Map<string, OpenStream>();
    this.open.set(session, subscriptions);
    // A new token may not allow what the old one did.
    session.onRenew(({ scopes }) => {
      if (allows(scopes, ['events:read'])) return;
      for (const stream of subscriptions.values()) stream.close();
      subscriptions.clear();
    });
    return subscriptions;
  }
}
