import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { AgentDirectory, AgentPresence, type AgentKey, type AgentRow } from '../agents/index.js';
import { notFound } from '../shared/domain-error.js';
import { Dispatcher } from './dispatcher.js';
import type { ClaimedTask } from './task-view.js';
import { TasksService } from './tasks.service.js';

/** What an agent asks for. */
export interface Ask {
  readonly max: number;
  /** How long to wait when there is nothing, in milliseconds. */
  readonly waitMs: number;
  readonly sessionEpoch?: number;
}

/** An agent's own calls for work: claims that may wait, and giving back what could not be handed over. */
@Injectable()
export class ClaimsService implements BeforeApplicationShutdown {
  /** Ends of the long polls that wait here. */
  private readonly polls = new Set<() => void>();
  private closing = false;

  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly agents: AgentDirectory,
    private readonly presence: AgentPresence,
    private readonly tasks: TasksService,
  ) {}

  /** Long polls end at once when the server stops: their agents ask the next one. */
  beforeApplicationShutdown(): void {
    this.closing = true;
    for (const end of this.polls) end();
  }

  /**
   * Claims up to `max` tasks; when there are none, waits for some. What was claimed for a caller that has gone
   * meanwhile is offered again at once.
   */
  async claim(key: AgentKey, ask: Ask, gone: AbortSignal): Promise<ClaimedTask[]> {
    const items = await this.now(key, ask, gone);
    if (items.length > 0 || ask.waitMs === 0 || gone.aborted) return items;
    const agent = await this.agents.find(key.projectId, key.id);
    if (agent === undefined) throw notFound('agent', key.id);
    return this.wait(agent, ask, gone);
  }

  /** What can be claimed at this moment. */
  async now(key: AgentKey, ask: Ask, gone: AbortSignal): Promise<ClaimedTask[]> {
    const [items] = await Promise.all([
      this.dispatcher.claim({ agent: key, max: ask.max, sessionEpoch: ask.sessionEpoch, pushed: false }),
      this.presence.seen(key.projectId, key.id),
    ]);
    if (!gone.aborted) return items;
    await this.giveBack(key, items);
    return [];
  }

  /** Hands tasks back whose holder never heard of them; the attempts are refunded. */
  async giveBack(key: AgentKey, items: readonly ClaimedTask[]): Promise<void> {
    const actor = { agentId: key.id, projectId: key.projectId };
    await Promise.allSettled(
      items.map(({ id, project_id: projectId, attempt }) =>
        this.tasks.report({ id, projectId }, { status: 'queued', attempt }, actor, 256),
      ),
    );
  }

  /** Registers first and claims then, so what becomes claimable in between is not missed. */
  private async wait(agent: AgentRow, ask: Ask, gone: AbortSignal): Promise<ClaimedTask[]> {
    const key = { id: agent.id, projectId: agent.project_id };
    const deadline = Date.now() + ask.waitMs;
    for (;;) {
      const news = this.news(agent, deadline - Date.now(), gone);
      try {
        const items = await this.now(key, ask, gone);
        if (items.length > 0 || gone.aborted || this.closing || Date.now() >= deadline) return items;
        await news.heard;
      } finally {
        news.cancel();
      }
    }
  }

  private news(agent: AgentRow, waitMs: number, gone: AbortSignal): { heard: Promise<void>; cancel(): void } {
    let ring = (): void => {};
    const heard = new Promise<void>((resolve) => (ring = resolve));
    const waiter = { agent, wake: ring };
    const timer = setTimeout(ring, Math.max(waitMs, 0));
    gone.addEventListener('abort', ring, { once: true });
    this.dispatcher.wait(waiter);
    this.polls.add(ring);
    const cancel = (): void => {
      ring();
      clearTimeout(timer);
      gone.removeEventListener('abort', ring);
      this.dispatcher.leave(waiter);
      this.polls.delete(ring);
    };
    return { heard, cancel };
  }
}
