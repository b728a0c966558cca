import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { AgentDirectory, type AgentKey, type AgentRow } from '../../agents/index.js';
import { allows } from '../../auth/index.js';
import { type Envelope, Envelopes, EventLog, EventRouter, type Session } from '../../events/index.js';
import { Database } from '../../platform/database/database.js';
import { DomainError, notFound } from '../../shared/domain-error.js';
import type { LoggedEvent } from '../../shared/domain-event.js';
import { ANY_PROJECT } from '../../shared/ids.js';
import { ClaimsService } from '../claims.service.js';
import { Dispatcher } from '../dispatcher.js';
import type { Task } from '../domain/task.js';
import { LeaseTokens } from '../lease-tokens.js';
import { ASSIGNED_TO } from '../persistence/task-reads.js';
import { taskView, type ClaimedTask } from '../task-view.js';
import type { Waiter } from '../waiters.js';

/** Tasks that one push asks for at most. */
const AT_ONCE = 100;

/** A socket that said `ready`: it waits at the dispatcher, and claims when it is woken, until its capacity is full. */
interface ReadySocket extends Waiter {
  readonly session: Session;
  readonly agent: AgentRow;
  claiming: boolean;
  again: boolean;
  /** Assignments of its agent that the log told while it was claiming. */
  readonly told: Map<string, Envelope>;
}

/**
 * Push: the same claim as everybody's, made for sockets that said `ready`. The assignment travels as its event; the
 * lease token is added for the holder's own socket and stored nowhere.
 */
@Injectable()
export class ReadySockets implements OnModuleInit {
  private readonly logger = new Logger(ReadySockets.name);
  private readonly sockets = new Map<Session, ReadySocket>();
  private readonly ofAgent = new Map<string, Set<ReadySocket>>();
  /** As the last `ready` said, also while the first is still being answered. */
  private readonly capacities = new WeakMap<Session, number>();
  /** What was claimed before its event was told. */
  private readonly awaited = new Map<string, (envelope: Envelope) => void>();

  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly claims: ClaimsService,
    private readonly directory: AgentDirectory,
    private readonly leaseTokens: LeaseTokens,
    private readonly router: EventRouter,
    private readonly envelopes: Envelopes,
    private readonly log: EventLog,
    private readonly database: Database,
  ) {}

  onModuleInit(): void {
    this.router.onEvents((events) => {
      for (const event of events) {
        if (event.type === 'task.assigned') this.hear(event);
        else if (event.type === 'task.cancelled') this.tellHolder(event);
      }
    });
  }

  /** The socket takes work from now on (0: no more). At its first `ready`, what its agent has not started is sent again. */
  async ready(session: Session, capacity: number): Promise<void> {
    const { agentId, projectId } = session.caller;
    if (agentId === null) throw new DomainError('FORBIDDEN', 'Only an agent’s own socket can be ready.');
    this.capacities.set(session, capacity);
    if (!this.sockets.has(session)) {
      const agent = await this.directory.find(projectId, agentId);
      if (agent === undefined) throw notFound('agent', agentId);
      await this.sendAgain(session, agent);
      // Another `ready` may have come meanwhile.
      if (!this.sockets.has(session)) this.enter(session, agent);
    }
    this.sockets.get(session)?.wake(() => {});
  }

  private enter(session: Session, agent: AgentRow): void {
    const socket: ReadySocket = {
      session,
      agent,
      full: false,
      claiming: false,
      again: false,
      told: new Map(),
      wake: (passOn) => this.wake(socket, passOn),
    };
    const together = this.ofAgent.get(agent.id) ?? new Set();
    this.ofAgent.set(agent.id, together.add(socket));
    this.sockets.set(session, socket);
    session.onClose(() => {
      this.sockets.delete(session);
      this.dispatcher.leave(socket);
      together.delete(socket);
      if (together.size === 0) this.ofAgent.delete(agent.id);
    });
  }

  private wake(socket: ReadySocket, passOn: () => void): void {
    if (socket.claiming) {
      // It looks once more itself; the hint is another's.
      socket.again = true;
      return passOn();
    }
    const mayWork = allows(socket.session.caller.scopes, ['tasks:execute']);
    const capacity = mayWork ? (this.capacities.get(socket.session) ?? 0) : 0;
    if (!socket.session.connected || capacity === 0) {
      this.dispatcher.leave(socket);
      return passOn();
    }
    socket.claiming = true;
    // Waits before it claims: what becomes claimable in between wakes it once more.
    this.dispatcher.wait(socket);
    this.push(socket, capacity, passOn)
      .catch((error: unknown) => this.logger.debug(`a push is put off: ${String(error)}`))
      .finally(() => {
        socket.claiming = false;
        socket.told.clear();
        if (!socket.again) return;
        socket.again = false;
        this.wake(socket, () => {});
      });
  }

  private async push(socket: ReadySocket, limit: number, passOn: () => void): Promise<void> {
    const { agent } = socket;
    const key = { id: agent.id, projectId: agent.project_id };
    const command = { agent: key, max: AT_ONCE, limit, pushed: true };
    const { items } = await this.dispatcher.claim(command, socket, true);
    if (items.length === 0) passOn();
    for (const item of items) this.deliver(socket, key, item);
  }

  /** A claim's answer and its event come apart, in either order: they meet here or in {@link hear}. */
  private deliver({ session, told }: ReadySocket, agent: AgentKey, item: ClaimedTask): void {
    const hand = (envelope: Envelope): void => {
      if (session.connected) session.sendPersonal(withTask(envelope, item));
      else void this.claims.giveBack(agent, [item]);
    };
    const key = assignmentKey(item.project_id, item.id, item.attempt);
    const envelope = told.get(key);
    if (envelope === undefined) this.awaited.set(key, hand);
    else hand(envelope);
  }

  private hear(event: LoggedEvent): void {
    const { task_id: id, attempt } = event.payload;
    const key = assignmentKey(event.projectId, String(id), Number(attempt));
    const hand = this.awaited.get(key);
    if (hand !== undefined) {
      this.awaited.delete(key);
      return hand(this.envelopes.of(event));
    }
    for (const { claiming, told } of this.ofAgent.get(event.targetAgent ?? '') ?? []) {
      if (claiming) told.set(key, this.envelopes.of(event));
    }
  }

  /** Who was pushed a task hears of its cancel, subscribed or not. */
  private tellHolder(event: LoggedEvent): void {
    for (const { agent, session } of this.ofAgent.get(String(event.payload['assigned_agent'])) ?? []) {
      const inReach = agent.project_id === ANY_PROJECT || agent.project_id === event.projectId;
      if (inReach) session.send(this.envelopes.of(event));
    }
  }

  private async sendAgain(session: Session, agent: AgentRow): Promise<void> {
    for (const task of await this.database.query<Task>(ASSIGNED_TO, [agent.id, agent.project_id])) {
      const event = await this.log.latest(task.project_id, task.id, 'task.assigned');
      // Another attempt has begun meanwhile: its own event tells of it.
      if (event?.payload['attempt'] !== task.attempt) continue;
      const token = this.leaseTokens.of(task.project_id, task.id, task.attempt);
      const item = { ...taskView(task), lease_token: token };
      session.sendPersonal(withTask(this.envelopes.of(event), item));
    }
  }
}

function withTask(envelope: Envelope, item: ClaimedTask): Envelope {
  return { ...envelope, payload: { ...envelope.payload, task: item } };
}

function assignmentKey(projectId: string, taskId: string, attempt: number): string {
  return `${projectId} ${taskId} ${attempt}`;
}
