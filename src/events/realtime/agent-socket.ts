import { allows } from '../../auth/index.js';
import { rowKey } from '../../shared/ids.js';
import type { Cursor } from '../domain/cursor.js';
import { selectionOf } from '../domain/subscription.js';
import type { EventLog } from '../event-log.js';
import type { EventRouter } from '../event-router.js';
import type { OpenStream } from '../event-stream.js';
import type { ChannelsRow } from '../persistence/channel-rows.js';
import type { MailboxKey } from '../persistence/mailbox-rows.js';
import type { SessionStreams } from './session-streams.js';
import type { Session } from './session.js';

type Subscription = ChannelsRow['subscriptions'][number];

/** Subscriptions that are read together, in one order. */
interface Group {
  readonly subscriptions: readonly Subscription[];
  readonly stream: OpenStream;
  readonly announced: boolean;
}

/** One socket of an agent, and what it is told without asking for it. */
export class AgentSocket {
  private groups: Group[] = [];
  private hasMailbox = false;
  private followed = false;
  /** Where the log was told to when it connected. */
  private readonly began: number;

  constructor(
    private readonly session: Session,
    private readonly agent: MailboxKey,
    private readonly streams: SessionStreams,
    private readonly log: EventLog,
    private readonly router: EventRouter,
  ) {
    this.began = router.reached;
  }

  /** Tells from now on what there is now: opens what is new, closes what is gone. */
  follow({ acked_pos: acked, subscriptions }: ChannelsRow): void {
    if (!this.session.connected) return;
    const mayRead = allows(this.session.caller.scopes, ['events:read']);
    const wanted = mayRead ? subscriptions : [];
    this.closeOthersThan(new Set(wanted.map(({ id }) => id)));
    const known = new Set(this.groups.flatMap((group) => group.subscriptions.map(({ id }) => id)));
    const added = wanted.filter(({ id }) => !known.has(id));
    if (added.length > 0)
      this.open(added, this.beginOf(added), !this.followed && this.session.after !== undefined);
    this.followed = true;
    this.followMailbox(mayRead ? acked : null);
  }

  /** At connect where the handshake says, else live from the connect on; later where the new ones were made. */
  private beginOf(added: readonly Subscription[]): Cursor | undefined {
    if (!this.followed && this.session.after !== undefined) return this.session.after;
    const from = this.followed ? Math.min(...added.map(({ from_pos }) => from_pos)) : this.began;
    return from < this.router.reached ? this.log.at(from) : undefined;
  }

  private closeOthersThan(wanted: ReadonlySet<string>): void {
    for (const group of this.groups) {
      const left = group.subscriptions.filter(({ id }) => wanted.has(id));
      if (left.length === group.subscriptions.length) continue;
      this.groups = this.groups.filter((one) => one !== group);
      const { position } = group.stream;
      group.stream.close();
      if (left.length === 0) continue;
      const isLive = position.pos === this.router.reached;
      this.open(left, isLive ? undefined : position, group.announced && !isLive);
    }
  }

  private open(subscriptions: readonly Subscription[], after: Cursor | undefined, announced: boolean): void {
    const selection = { anyOf: subscriptions.map(selectionOf) };
    const name = { subscription_ids: subscriptions.map(({ id }) => id) };
    const stream = this.streams.openTopics(this.session, { selection, name, after, announced });
    this.groups.push({ subscriptions, stream, announced });
  }

  private followMailbox(acked: number | null): void {
    if ((acked !== null) === this.hasMailbox) return;
    this.hasMailbox = acked !== null;
    if (acked === null) return this.streams.closeMailbox(this.session);
    const { agentId, projectId } = this.agent;
    const name = { mailbox: agentId };
    this.streams.openMailbox(this.session, rowKey(projectId, agentId), name, this.log.at(acked));
  }
}
