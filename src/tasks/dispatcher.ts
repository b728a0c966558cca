import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Batcher } from '../platform/database/batcher.js';
import { Sweeps } from '../platform/sweeps/sweeps.js';
import { rowKey } from '../shared/ids.js';
import { WakeUp } from '../platform/wake-up/wake-up.port.js';
import { ClaimCommands, type ClaimCommand } from './claim-commands.js';
import type { Task } from './domain/task.js';
import { Routes, type RoutedAgent } from './routes.js';
import { TaskReactions } from './task-reactions.js';
import type { ClaimedTask } from './task-view.js';

const CHANNEL = 'routes';
const SWEEP_MS = 500;
/** Waiters that one hint is passed on to at most; the sweep reaches the others. */
const ASKED = 16;

/** An agent that waits here for work: a long poll, or a socket that said `ready`. */
export interface Waiter {
  readonly agent: RoutedAgent;
  /** Called when there may be work for it. It claims, and if it found nothing it passes the hint on and comes back. */
  wake(passOn: () => void): void;
}

/**
 * Keeps the agents that wait in this process and wakes as many as there is news for. A wake-up is a hint: who is woken
 * claims like anybody else, and a sweep every 500 ms wakes all, whatever hints were lost.
 */
@Injectable()
export class Dispatcher implements OnModuleInit {
  /** In the order they came; a woken waiter leaves and comes back at the end. */
  private readonly waiters = new Set<Waiter>();
  /** Routes whose hint comes back to this process, which has acted on it already. */
  private readonly announced = new Set<string>();

  constructor(
    private readonly batcher: Batcher,
    private readonly claims: ClaimCommands,
    private readonly routes: Routes,
    private readonly reactions: TaskReactions,
    private readonly wakeUp: WakeUp,
    private readonly sweeps: Sweeps,
  ) {}

  onModuleInit(): void {
    this.reactions.on('claimable', (tasks) => this.announce(tasks));
    this.reactions.on('freed', (agents) => {
      for (const agent of agents) this.wakeAgent(agent);
    });
    this.wakeUp.on(CHANNEL, (routes) => void this.hear(routes));
    this.sweeps.every(
      'dispatch',
      SWEEP_MS,
      async () => {
        await this.look();
        return false;
      },
      'everywhere',
    );
  }

  claim(command: ClaimCommand): Promise<ClaimedTask[]> {
    return this.batcher.submit(this.claims, command);
  }

  /** Register first, then claim: what becomes claimable in between is then not missed. */
  wait(waiter: Waiter): void {
    this.waiters.add(waiter);
  }

  leave(waiter: Waiter): void {
    this.waiters.delete(waiter);
  }

  private announce(tasks: readonly Task[]): void {
    const news = new Map<number, number>();
    for (const task of tasks) news.set(task.route, (news.get(task.route) ?? 0) + 1);
    for (const [route, count] of news) {
      for (let left = count; left > 0; left -= 1) this.wakeForRoute(route, new Set());
      this.announced.add(String(route));
      this.wakeUp.notify(CHANNEL, String(route));
    }
  }

  /** Wakes the next waiter of a route. Who finds nothing (it may be full) passes the hint on to one that was not asked yet. */
  private wakeForRoute(route: number, asked: Set<string>): void {
    if (asked.size >= ASKED) return;
    for (const waiter of this.waiters) {
      const key = rowKey(waiter.agent.project_id, waiter.agent.id);
      if (asked.has(key) || !this.routes.of(waiter.agent).some((one) => one.id === route)) continue;
      asked.add(key);
      return this.wake(waiter, () => this.wakeForRoute(route, asked));
    }
  }

  private wakeAgent(agent: { id: string; projectId: string }): void {
    for (const waiter of this.waiters) {
      if (waiter.agent.id === agent.id && waiter.agent.project_id === agent.projectId)
        this.wake(waiter, () => {});
    }
  }

  /** Another process has news; how much of it, it does not say. */
  private async hear(routes: ReadonlySet<string>): Promise<void> {
    const news = [...routes].filter((route) => !this.announced.delete(route));
    if (news.length === 0 && routes.size > 0) return;
    try {
      await this.look();
    } catch {
      // The database is away; the sweep looks again.
    }
  }

  private async look(): Promise<void> {
    if (this.waiters.size === 0) return;
    await this.routes.refresh();
    // A woken waiter may be back before the round is over: only those who wait now are woken.
    const waiting = Array.from(this.waiters);
    for (const waiter of waiting) this.wake(waiter, () => {});
  }

  private wake(waiter: Waiter, passOn: () => void): void {
    this.waiters.delete(waiter);
    waiter.wake(passOn);
  }
}
