import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Batcher } from '../platform/database/batcher.js';
import { Sweeps } from '../platform/sweeps/sweeps.js';
import { WakeUp } from '../platform/wake-up/wake-up.port.js';
import { ClaimCommands, type ClaimCommand } from './claim-commands.js';
import type { Task } from './domain/task.js';
import { Routes, type RoutedAgent } from './routes.js';
import { TaskReactions } from './task-reactions.js';
import type { ClaimedTask } from './task-view.js';

const CHANNEL = 'routes';
const SWEEP_MS = 500;

/** An agent that waits here for work: a long poll, or a socket that said `ready`. */
export interface Waiter {
  readonly agent: RoutedAgent;
  /** Called when there may be work for it. It claims, and comes back if it found nothing. */
  wake(): void;
}

/**
 * Keeps the agents that wait in this process and wakes as many as there is news for. A wake-up is a hint: who is woken
 * claims like anybody else, and a sweep every 500 ms wakes all, whatever hints were lost.
 */
@Injectable()
export class Dispatcher implements OnModuleInit {
  /** In the order they came; a woken waiter leaves and comes back at the end. */
  private readonly waiters = new Set<Waiter>();

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
    this.wakeUp.on(CHANNEL, () => void this.look());
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
      this.wakeForRoute(route, count);
      this.wakeUp.notify(CHANNEL, String(route));
    }
  }

  private wakeForRoute(route: number, count: number): void {
    let left = count;
    for (const waiter of this.waiters) {
      if (left === 0) return;
      if (!this.routes.of(waiter.agent).some((one) => one.id === route)) continue;
      this.wake(waiter);
      left -= 1;
    }
  }

  private wakeAgent(agent: { id: string; projectId: string }): void {
    for (const waiter of this.waiters) {
      if (waiter.agent.id === agent.id && waiter.agent.project_id === agent.projectId) this.wake(waiter);
    }
  }

  private async look(): Promise<void> {
    if (this.waiters.size === 0) return;
    await this.routes.refresh();
    // A woken waiter may be back before the round is over: only those who wait now are woken.
    const waiting = Array.from(this.waiters);
    for (const waiter of waiting) this.wake(waiter);
  }

  private wake(waiter: Waiter): void {
    this.waiters.delete(waiter);
    waiter.wake();
  }
}
