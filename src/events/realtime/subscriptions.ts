import { Injectable, type OnModuleInit } from '@nestjs/common';
import { newId } from '../../platform/new-id.js';
import { DomainError, notFound, validationFailed } from '../../shared/domain-error.js';
import { decodeCursor, type Cursor } from '../domain/cursor.js';
import type { EventFilter } from '../domain/event-filter.js';
import { topicPattern } from '../domain/topic-pattern.js';
import { Envelopes } from '../envelope.js';
import { EventStreams } from '../event-stream.js';
import { Messages } from './messages.js';
import type { Session } from './session.js';
import { SubscribeDto, UnsubscribeDto } from './subscribe.dto.js';

/** Subscriptions of one socket at most. */
const PER_SESSION = 100;

/** What sockets subscribe to; it ends with the socket. */
@Injectable()
export class SocketSubscriptions implements OnModuleInit {
  private readonly open = new WeakMap<Session, Map<string, () => void>>();

  constructor(
    private readonly messages: Messages,
    private readonly streams: EventStreams,
    private readonly envelopes: Envelopes,
  ) {}

  onModuleInit(): void {
    this.messages.register({
      name: 'subscribe',
      about: 'Tells this socket the events of some topics, from a cursor on or live',
      scopes: ['events:read'],
      dto: SubscribeDto,
      handle: (session, body) => {
        const after = body.after === undefined ? session.after : decodeCursor(body.after);
        if (body.topics.length === 0)
          throw validationFailed([{ path: '/topics', message: 'must have at least 1 item' }]);
        const patterns = body.topics.map((topic, index) => topicPattern(topic, `/topics/${index}`));
        return this.subscribe(session, patterns, body.filters ?? {}, after);
      },
    });
    this.messages.register({
      name: 'unsubscribe',
      about: 'Ends a subscription of this socket',
      scopes: ['events:read'],
      dto: UnsubscribeDto,
      handle: (session, { subscription_id: id }) => {
        const close = this.open.get(session)?.get(id);
        if (close === undefined) throw notFound('subscription', id);
        close();
        return {};
      },
    });
  }

  /** @returns the subscription's id, and the cursor after which it begins */
  private subscribe(
    session: Session,
    patterns: readonly string[],
    filter: EventFilter,
    after: Cursor | undefined,
  ): { subscription_id: string; cursor: string } {
    const subscriptions = this.open.get(session) ?? new Map<string, () => void>();
    if (subscriptions.size >= PER_SESSION) {
      throw new DomainError('CONFLICT', `A connection has ${PER_SESSION} subscriptions at most.`);
    }
    const id = newId();
    const stream = this.streams.open(
      {
        selection: { projectId: session.caller.projectId, patterns, filter },
        event: (event) => session.send(this.envelopes.of(event)),
        gap: (gap) => session.tell('gap', { subscription_id: id, ...gap }),
        replayed: () => session.tell('replay_complete', { subscription_id: id }),
        broken: () => session.close(new DomainError('SERVICE_UNAVAILABLE', 'The log cannot be read now.')),
        ready: () => session.ready(),
      },
      after,
    );
    const forget = session.onClose(() => stream.close());
    subscriptions.set(id, () => {
      subscriptions.delete(id);
      stream.close();
      forget();
    });
    this.open.set(session, subscriptions);
    return { subscription_id: id, cursor: stream.cursor };
  }
}
