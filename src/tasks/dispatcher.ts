import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { AgentKey, AgentRow } from '../agents/index.js';
import { Batcher } from '../platform/database/batcher.js';
import { Database } from '../platform/database/database.js';
import { Sweeps } from '../platform/sweeps/sweeps.js';
import { WakeUp } from '../platform/wake-up/wake-up.port.js';
import { rowKey } from '../shared/ids.js';
import { ClaimCommands, type ClaimCommand, type Claimed } from './claim-commands.js';
import type { Task } from './domain/task.js';
import { WORK_ON_ROUTES } from './persistence/claim-rows.js';
import { RouteNews } from './route-news.js';
import { ProjectTurns } from './project-turns.js';
import { Routes } from './routes.js';
import { type Moment, TaskReactions } from './task-reactions.js';
import type { ClaimedTask } from './task-view.js';
import { type Waiter, Waiters } from './waiters.js';

const CHANNEL = 'routes';
const SWEEP_MS = 500;
/** Waiters that one hint is passed on to at most; the sweep reaches the others. */
const ASKED = 16;
/** What a claim weighs in the lane. */
const CLAIM_BYTES = 512;
/** Agents whose last claim is remembered. */
const REMEMBERED = 10_000;

/**
 * Keeps the agents that wait in this process and wakes as many as there is news for. A wake-up is a hint: who is woken
 * claims like anybody else, and a sweep every 500 ms looks at the routes of all who wait, whatever hints were lost.
 */
@Injectable()
export class Dispatcher implements OnModuleInit {
  private readonly waiters: Waiters;
  /** Routes whose hint comes back to this process, which has acted on it already. */
  private readonly announced = new Set<string>();
  private readonly agents = new Map<string, AgentRow>();
  private readonly news = new RouteNews();
  /** Tasks that were claimed here in this turn of the event loop. */
  private readonly taken = new Set<string>();

  constructor(
    private readonly batcher: Batcher,
    private readonly claims: ClaimCommands,
    private readonly routes: Routes,
    private readonly turns: ProjectTurns,
    private readonly reactions: TaskReactions,
    private readonly wakeUp: WakeUp,
    private readonly database: Database,
    private readonly sweeps: Sweeps,
  ) {
    this.waiters = new Waiters(routes);
  }

  onModuleInit(): void {
    this.reactions.on('claimable', (tasks, moment) => this.offer(tasks, moment));
    this.reactions.on('freed', (agents, moment) => {
      if (moment === 'again') return;
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

  /**
   * @param waiter who will wait, should there be nothing; told at once whether it is full, before anything else commits
   * @param woken it claims because of news, which may be of a batch that is under way: it joins it
   */
  async claim(command: ClaimCommand, waiter?: Waiter, woken = false): Promise<Claimed> {
    const sentAt = this.news.now;
    // Without need it is submitted at once: it then shares its batch with the reports that came with it.
    const { agent } = command;
    const projects = this.turns.matterTo(agent)
      ? await this.turns.next(agent, this.recall(agent))
      : undefined;
    const claimed = await this.batcher.submit(this.claims, { ...command, projects }, CLAIM_BYTES, woken);
    this.take(claimed.items);
    // Where only some projects had their turn, the others may have work.
    if (claimed.exhausted && projects === undefined) {
      for (const { id } of this.routes.of(claimed.agent)) this.news.exhausted(id, sentAt);
    }
    if (waiter !== undefined) waiter.full = claimed.full;
    const key = rowKey(claimed.agent.project_id, claimed.agent.id);
    this.agents.delete(key);
    this.agents.set(key, claimed.agent);
    for (const oldest of this.agents.keys()) {
      if (this.agents.size <= REMEMBERED) break;
      this.agents.delete(oldest);
    }
    return claimed;
  }

  /** An agent as it was at its last claim here: good enough to wait, as every claim looks anew. */
  recall({ projectId, id }: AgentKey): AgentRow | undefined {
    return this.agents.get(rowKey(projectId, id));
  }

  /** Is nothing known that the agent could claim? Then it may wait without asking. */
  hasNothingFor(agent: AgentRow): boolean {
    return this.routes.of(agent).every(({ id }) => this.news.isEmpty(id));
  }

  /** Register first, then claim: what becomes claimable in between is then not missed. */
  wait(waiter: Waiter): void {
    this.waiters.add(waiter);
  }

  leave(waiter: Waiter): void {
    this.waiters.remove(waiter);
  }

  /** Who waits here may join the batch that makes the tasks claimable; of what nobody took, all hear after its commit. */
  private offer(tasks: readonly Task[], moment: Moment): void {
    if (moment === 'soon') this.wakeFor(tasks);
    else if (moment === 'now') this.announce(tasks);
    else {
      const isTaken = ({ project_id: projectId, id }: Task): boolean => this.taken.has(rowKey(projectId, id));
      // By then whoever joined the batch has its claim's answer.
      setImmediate(() => this.announce(tasks.filter((task) => !isTaken(task))));
    }
  }

  /** Wakes who waits here, and tells the other processes. */
  private announce(tasks: readonly Task[]): void {
    for (const route of this.wakeFor(tasks)) {
      this.announced.add(String(route));
      this.wakeUp.notify(CHANNEL, String(route));
    }
  }

  /** Wakes as many waiters as there are tasks. @returns the tasks' routes */
  private wakeFor(tasks: readonly Task[]): Iterable<number> {
    const news = new Map<number, number>();
    for (const task of tasks) news.set(task.route, (news.get(task.route) ?? 0) + 1);
    for (const [route, count] of news) {
      this.news.announce(route);
      this.wakeForRoute(route, count, (waiter) => !waiter.full);
    }
    return news.keys();
  }

  /** Remembers what was claimed here until whoever hears of it in this turn of the event loop has heard. */
  private take(items: readonly ClaimedTask[]): void {
    if (items.length === 0) return;
    if (this.taken.size === 0) setImmediate(() => this.taken.clear());
    for (const { project_id: projectId, id } of items) this.taken.add(rowKey(projectId, id));
  }

  /** Wakes as many waiters of a route as there are tasks. */
  private wakeForRoute(route: number, count: number, mayTake: (waiter: Waiter) => boolean): void {
    for (let left = count; left > 0; left -= 1) {
      if (!this.wakeNext(route, new Set(), mayTake)) return;
    }
  }

  /**
   * Wakes the next waiter of a route. Who finds nothing (it may be full by now) passes the hint on to one that was not
   * asked yet.
   * @returns false when there was nobody to wake
   */
  private wakeNext(route: number, asked: Set<string>, mayTake: (waiter: Waiter) => boolean): boolean {
    if (asked.size >= ASKED) return false;
    for (const waiter of this.waiters.on(route)) {
      const key = rowKey(waiter.agent.project_id, waiter.agent.id);
      if (asked.has(key) || !mayTake(waiter)) continue;
      asked.add(key);
      this.wake(waiter, () => void this.wakeNext(route, asked, mayTake));
      return true;
    }
    return false;
  }

  /** A task of the agent ended, so a waiter of its that had no room may have some. */
  private wakeAgent(agent: AgentKey): void {
    for (const waiter of this.waiters.ofAgent(agent)) {
      if (waiter.full) return this.wake(waiter, () => {});
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

  /** Wakes for every task that can be claimed by somebody who waits here; also those who had no room when they asked. */
  private async look(): Promise<void> {
    if (this.waiters.size === 0) return;
    await this.routes.refresh();
    const waited = this.waiters.routes();
    const work = await this.database.query<{ route: number; n: number }>(WORK_ON_ROUTES, [
      waited.map((route) => route.project_id),
      waited.map((route) => route.id),
    ]);
    for (const { route, n } of work) {
      this.news.announce(route);
      this.wakeForRoute(route, n, () => true);
    }
  }

  private wake(waiter: Waiter, passOn: () => void): void {
    this.waiters.remove(waiter);
    waiter.wake(passOn);
  }
}
