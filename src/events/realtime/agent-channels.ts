import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Database } from '../../platform/database/database.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import { WakeUp } from '../../platform/wake-up/wake-up.port.js';
import { rowKey } from '../../shared/ids.js';
import { EventRouter } from '../event-router.js';
import { channelsOf, type ChannelsRow } from '../persistence/channel-rows.js';
import type { MailboxKey } from '../persistence/mailbox-rows.js';
import { SUBSCRIPTIONS_CHANGED } from '../subscriptions.service.js';
import { AgentSocket } from './agent-socket.js';
import { SessionStreams } from './session-streams.js';
import { type Session } from './session.js';
import { Sessions } from './sessions.js';
import { EventLog } from '../event-log.js';

/** Beneath the wake-ups, should one be lost. */
const LOOK_MS = 10_000;
const RETRY_MS = 500;
/** Agents of one look at most. */
const AT_ONCE = 1_000;

interface ConnectedAgent {
  readonly key: MailboxKey;
  readonly sockets: Set<AgentSocket>;
}

/**
 * What agents' sockets are told without asking for it: their mailbox, and the subscriptions that are kept for them. Both
 * are read when a socket connects, and again when a wake-up says that subscriptions changed.
 */
@Injectable()
export class AgentChannels implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(AgentChannels.name);
  private readonly agents = new Map<string, ConnectedAgent>();
  private waiting = new Set<string>();
  private looking: Promise<void> | undefined;
  private stopped = false;

  constructor(
    private readonly sessions: Sessions,
    private readonly streams: SessionStreams,
    private readonly log: EventLog,
    private readonly router: EventRouter,
    private readonly database: Database,
    private readonly wakeUp: WakeUp,
    private readonly sweeps: Sweeps,
  ) {}

  onModuleInit(): void {
    this.sessions.onOpened((session) => this.enter(session));
    this.wakeUp.on(SUBSCRIPTIONS_CHANGED, (keys) => this.look(keys.size === 0 ? this.agents.keys() : keys));
    this.sweeps.every('agent-channels', LOOK_MS, () => this.lookAtAll(), 'everywhere');
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    await this.looking;
  }

  private enter(session: Session): void {
    const { agentId, projectId } = session.caller;
    if (agentId === null) return;
    const name = rowKey(projectId, agentId);
    const agent = this.agents.get(name) ?? { key: { agentId, projectId }, sockets: new Set() };
    const socket = new AgentSocket(session, agent.key, this.streams, this.log, this.router);
    this.agents.set(name, agent);
    agent.sockets.add(socket);
    session.onRenew(() => this.look([name]));
    session.onClose(() => {
      agent.sockets.delete(socket);
      if (agent.sockets.size === 0 && this.agents.get(name) === agent) this.agents.delete(name);
    });
    this.look([name]);
  }

  private async lookAtAll(): Promise<boolean> {
    this.look(this.agents.keys());
    await this.looking;
    return false;
  }

  /** One look at a time: an older answer must not undo a newer one. */
  private look(names: Iterable<string>): void {
    for (const name of names) if (this.agents.has(name)) this.waiting.add(name);
    if (this.waiting.size > 0) this.looking ??= this.run().finally(() => (this.looking = undefined));
  }

  private async run(): Promise<void> {
    // What this turn still brings goes with it.
    await delay(0);
    while (this.waiting.size > 0 && !this.stopped) {
      const names = [...this.waiting].slice(0, AT_ONCE);
      for (const name of names) this.waiting.delete(name);
      const agents = names.flatMap((name) => this.agents.get(name) ?? []);
      try {
        await this.lookAt(agents);
      } catch (error) {
        this.logger.debug(`what agents are told cannot be read now: ${String(error)}`);
        for (const name of names) this.waiting.add(name);
        await delay(RETRY_MS);
      }
    }
  }

  private async lookAt(agents: readonly ConnectedAgent[]): Promise<void> {
    // Who connects from here on has a look of its own.
    const looked = new Map(
      agents.map(({ key, sockets }) => [rowKey(key.projectId, key.agentId), [...sockets]]),
    );
    const { values = [], ...sql } = channelsOf(agents.map(({ key }) => key));
    for (const row of await this.database.query<ChannelsRow>(sql, values)) {
      for (const socket of looked.get(rowKey(row.agent_project, row.agent_id)) ?? []) socket.follow(row);
    }
  }
}
