import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { AgentDirectory, type AgentRow } from '../../agents/index.js';
import { type Envelope, Envelopes, EventLog, EventRouter, type Session } from '../../events/index.js';
import { Database } from '../../platform/database/database.js';
import { DomainError, notFound } from '../../shared/domain-error.js';
import { ClaimsService } from '../claims.service.js';
import { Dispatcher, type Waiter } from '../dispatcher.js';
import type { Task } from '../domain/task.js';
import { LeaseTokens } from '../lease-tokens.js';
import { ASSIGNED_TO } from '../persistence/task-reads.js';
import { taskView, type ClaimedTask } from '../task-view.js';

/** Tasks that one push asks for at most. */
const AT_ONCE = 100;

/** A socket that said `ready`: it waits at the dispatcher, and claims when it is woken, until its capacity is full. */
interface ReadySocket extends Waiter {
  readonly session: Session;
  readonly agent: AgentRow;
  capacity: number;
  claiming: boolean;
  again: boolean;
}

/**
 * Push: the same claim as everybody's, made for sockets that said `ready`. The assignment travels as its event; the
 * lease token is added for the holder's own socket and stored nowhere.
 */
@Injectable()
export class ReadySockets implements OnModuleInit {
  private readonly logger = new Logger(ReadySockets.name);
  private readonly sockets = new Map<Session, ReadySocket>();
  /** Agents (project and id) with a ready socket here, and how many. */
  private readonly agents = new Map<string, number>();
  /** A claim's answer and its event come apart, in either order: whichever is first waits here for the other. */
  private readonly events = new Map<string, Envelope>();
  private readonly claimed = new Map<string, (envelope: Envelope) => void>();

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
        if (event.type === 'task.assigned' && this.agents.has(String(event.targetAgent)))
          this.meet(this.envelopes.of(event));
      }
    });
  }

  /** The socket takes work from now on (0: no more). What its agent holds and has not started is sent again. */
  async ready(session: Session, capacity: number): Promise<void> {
    const { agentId, projectId } = session.caller;
    if (agentId === null) throw new DomainError('FORBIDDEN', 'Only an agent’s own socket can be ready.');
    const known = this.sockets.get(session);
    if (known !== undefined) {
      known.capacity = capacity;
      return capacity === 0 ? this.dispatcher.leave(known) : known.wake();
    }
    const agent = await this.directory.find(projectId, agentId);
    if (agent === undefined) throw notFound('agent', agentId);
    await this.sendAgain(session, agent);
    const socket: ReadySocket = {
      session,
      agent,
      capacity,
      claiming: false,
      again: false,
      wake: () => this.wake(socket),
    };
    this.enter(socket);
    socket.wake();
  }

  private enter(socket: ReadySocket): void {
    const { id } = socket.agent;
    this.sockets.set(socket.session, socket);
    this.agents.set(id, (this.agents.get(id) ?? 0) + 1);
    socket.session.onClose(() => {
      this.sockets.delete(socket.session);
      this.dispatcher.leave(socket);
      const left = (this.agents.get(id) ?? 1) - 1;
      if (left === 0) this.agents.delete(id);
      else this.agents.set(id, left);
    });
  }

  private wake(socket: ReadySocket): void {
    if (socket.claiming) {
      socket.again = true;
      return;
    }
    socket.claiming = true;
    // Waits before it claims: what becomes claimable in between wakes it once more.
    this.dispatcher.wait(socket);
    this.push(socket)
      .catch((error: unknown) => this.logger.debug(`a push is put off: ${String(error)}`))
      .finally(() => {
        socket.claiming = false;
        if (!socket.again) return;
        socket.again = false;
        this.wake(socket);
      });
  }

  private async push({ session, agent, capacity }: ReadySocket): Promise<void> {
    if (!session.connected || capacity === 0) return;
    const key = { id: agent.id, projectId: agent.project_id };
    const items = await this.dispatcher.claim({ agent: key, max: AT_ONCE, limit: capacity, pushed: true });
    if (session.connected) for (const item of items) this.deliver(session, item);
    else await this.claims.giveBack(key, items);
  }

  private deliver(session: Session, item: ClaimedTask): void {
    const key = assignmentKey(item.project_id, item.id, item.attempt);
    const send = (envelope: Envelope): void =>
      session.send({ ...envelope, payload: { ...envelope.payload, task: item } });
    const envelope = this.events.get(key);
    if (envelope === undefined) this.claimed.set(key, send);
    else {
      this.events.delete(key);
      send(envelope);
    }
  }

  private meet(envelope: Envelope): void {
    const { task_id: id, attempt } = envelope.payload;
    const key = assignmentKey(envelope.project_id, String(id), Number(attempt));
    const send = this.claimed.get(key);
    this.claimed.delete(key);
    if (send !== undefined) return send(envelope);
    this.events.set(key, envelope);
    // A pull's assignment is met by nobody; it need not be kept for longer than a claim takes.
    setTimeout(() => this.events.delete(key), 5_000).unref();
  }

  private async sendAgain(session: Session, agent: AgentRow): Promise<void> {
    for (const task of await this.database.query<Task>(ASSIGNED_TO, [agent.id, agent.project_id])) {
      const event = await this.log.latest(task.project_id, task.id, 'task.assigned');
      if (event === undefined) continue;
      const item = {
        ...taskView(task),
        lease_token: this.leaseTokens.of(task.project_id, task.id, task.attempt),
      };
      const envelope = this.envelopes.of(event);
      session.send({ ...envelope, payload: { ...envelope.payload, task: item } });
    }
  }
}

function assignmentKey(projectId: string, taskId: string, attempt: number): string {
  return `${projectId} ${taskId} ${attempt}`;
}
