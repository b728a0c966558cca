import { Injectable } from '@nestjs/common';
import { AgentDirectory, AgentPresence, type AgentKey, type AgentRow } from '../agents/index.js';
import { notFound } from '../shared/domain-error.js';
import { Dispatcher, type Waiter } from './dispatcher.js';
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
export class ClaimsService {
  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly agents: AgentDirectory,
    private readonly presence: AgentPresence,
    private readonly tasks: TasksService,
  ) {}

  /**
   * Claims up to `max` tasks; when there are none, waits for some. What was claimed for a caller whose patience ended
   * meanwhile is offered again at once.
   */
  async claim(key: AgentKey, ask: Ask, patience: AbortSignal): Promise<ClaimedTask[]> {
    const items = await this.now(key, ask, patience);
    if (items.length > 0 || ask.waitMs === 0 || patience.aborted) return items;
    const agent = await this.agents.find(key.projectId, key.id);
    if (agent === undefined) throw notFound('agent', key.id);
    return this.wait(agent, ask, patience);
  }

  /** What can be claimed at this moment. */
  async now(key: AgentKey, ask: Ask, patience: AbortSignal): Promise<ClaimedTask[]> {
    const [items] = await Promise.all([
      this.dispatcher.claim({ agent: key, max: ask.max, sessionEpoch: ask.sessionEpoch, pushed: false }),
      this.presence.seen(key.projectId, key.id),
    ]);
    if (!patience.aborted) return items;
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
  private async wait(agent: AgentRow, ask: Ask, patience: AbortSignal): Promise<ClaimedTask[]> {
    const key = { id: agent.id, projectId: agent.project_id };
    const deadline = Date.now() + ask.waitMs;
    let passOn = (): void => {};
    for (;;) {
      const news = this.news(agent, deadline - Date.now(), patience);
      try {
        const items = await this.now(key, ask, patience);
        if (items.length === 0) passOn();
        if (items.length > 0 || patience.aborted || Date.now() >= deadline) return items;
        passOn = await news.heard;
      } finally {
        news.cancel();
      }
    }
  }

  /** `heard` resolves to what passes the hint on, should it lead to nothing. */
  private news(
    agent: AgentRow,
    waitMs: number,
    patience: AbortSignal,
  ): { heard: Promise<() => void>; cancel(): void } {
    let wake = (_passOn: () => void): void => {};
    const heard = new Promise<() => void>((resolve) => (wake = resolve));
    const ring = (): void => wake(() => {});
    const waiter: Waiter = { agent, wake };
    const timer = setTimeout(ring, Math.max(waitMs, 0));
    patience.addEventListener('abort', ring, { once: true });
    this.dispatcher.wait(waiter);
    const cancel = (): void => {
      ring();
      clearTimeout(timer);
      patience.removeEventListener('abort', ring);
      this.dispatcher.leave(waiter);
    };
    return { heard, cancel };
  }
}
