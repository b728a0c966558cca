import { Injectable } from '@nestjs/common';
import { AgentPresence, assertSession, type AgentKey, type AgentRow } from '../agents/index.js';
import type { Patience } from '../platform/http/patience.js';
import { currentKeyedRequest } from '../platform/idempotency/keyed-request.js';
import type { Claimed } from './claim-commands.js';
import { Dispatcher } from './dispatcher.js';
import type { ClaimedTask } from './task-view.js';
import { TasksService } from './tasks.service.js';
import type { Waiter } from './waiters.js';

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
    private readonly presence: AgentPresence,
    private readonly tasks: TasksService,
  ) {}

  /**
   * Claims up to `max` tasks; when there are none, waits for some. What was claimed for a caller whose patience ended
   * meanwhile is offered again at once.
   */
  async claim(key: AgentKey, ask: Ask, patience: Patience): Promise<ClaimedTask[]> {
    const known = ask.waitMs === 0 ? undefined : this.dispatcher.recall(key);
    if (known !== undefined) return this.wait(known, ask, patience, false);
    const { items, agent } = await this.now(key, ask, patience);
    if (items.length > 0 || ask.waitMs === 0 || patience.ended) return items;
    return this.wait(agent, ask, patience, true);
  }

  /** What can be claimed at this moment. */
  async now(key: AgentKey, ask: Ask, patience: Patience, waiter?: Waiter): Promise<Claimed> {
    const [claimed] = await Promise.all([
      this.take(key, ask, patience, waiter),
      this.presence.seen(key.projectId, key.id, ask.sessionEpoch),
    ]);
    return claimed;
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

  private async take(
    key: AgentKey,
    ask: Ask,
    patience: Patience,
    waiter?: Waiter,
    woken = false,
  ): Promise<Claimed> {
    const command = { agent: key, max: ask.max, sessionEpoch: ask.sessionEpoch, pushed: false };
    const claimed = await this.dispatcher.claim(command, waiter, woken);
    if (!patience.ended) return claimed;
    await this.giveBack(key, claimed.items);
    return { ...claimed, items: [] };
  }

  /**
   * Registers first and claims then, so what becomes claimable in between is not missed. The call is one sign of life,
   * at its beginning: that it still waits later proves nothing, as who froze or lost its network leaves it open.
   * @param seen that sign has been noted
   */
  private async wait(agent: AgentRow, ask: Ask, patience: Patience, seen: boolean): Promise<ClaimedTask[]> {
    const key = { id: agent.id, projectId: agent.project_id };
    const deadline = Date.now() + ask.waitMs;
    assertSession(agent, ask.sessionEpoch);
    let passOn = (): void => {};
    // Where nothing is known to wait, a claim would only say so; unless it was made before, under the same key.
    let mayClaim = !this.dispatcher.hasNothingFor(agent) || currentKeyedRequest() !== undefined;
    for (let noted = seen, woken = false; ; noted = true, mayClaim = true, woken = true) {
      const news = this.news(agent, deadline - Date.now(), patience);
      try {
        if (mayClaim) {
          const { items } = noted
            ? await this.take(key, ask, patience, news.waiter, woken)
            : await this.now(key, ask, patience, news.waiter);
          if (items.length === 0) passOn();
          if (items.length > 0 || patience.ended || Date.now() >= deadline) return items;
        } else if (!noted) await this.presence.seen(key.projectId, key.id, ask.sessionEpoch);
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
    patience: Patience,
  ): { waiter: Waiter; heard: Promise<() => void>; cancel(): void } {
    let wake = (_passOn: () => void): void => {};
    const heard = new Promise<() => void>((resolve) => (wake = resolve));
    const ring = (): void => wake(() => {});
    const waiter: Waiter = { agent, full: false, wake };
    const timer = setTimeout(ring, Math.max(waitMs, 0));
    const forget = patience.onEnd(ring);
    this.dispatcher.wait(waiter);
    const cancel = (): void => {
      ring();
      clearTimeout(timer);
      forget();
      this.dispatcher.leave(waiter);
    };
    return { waiter, heard, cancel };
  }
}
