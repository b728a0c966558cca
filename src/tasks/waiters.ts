import { rowKey } from '../shared/ids.js';
import type { Route, RoutedAgent, Routes } from './routes.js';

/** An agent that waits here for work: a long poll, or a socket that said `ready`. */
export interface Waiter {
  readonly agent: RoutedAgent;
  /** Its last claim found that it holds as much as it may: only an end of something it holds is news. */
  full: boolean;
  /** Called when there may be work for it. It claims, and if it found nothing it passes the hint on and comes back. */
  wake(passOn: () => void): void;
}

/** Who waits, by route and by agent, each in the order they came. */
export class Waiters {
  private readonly routesOf = new Map<Waiter, readonly Route[]>();
  private readonly byRoute = new Map<number, Set<Waiter>>();
  private readonly byAgent = new Map<string, Set<Waiter>>();
  /** How many routes were known when the waiters were sorted in. */
  private known = 0;

  constructor(private readonly all: Routes) {}

  get size(): number {
    return this.routesOf.size;
  }

  add(waiter: Waiter): void {
    this.sortInAnew();
    this.sortIn(waiter);
    const key = agentKey(waiter);
    const together = this.byAgent.get(key) ?? new Set();
    this.byAgent.set(key, together.add(waiter));
  }

  remove(waiter: Waiter): void {
    for (const route of this.routesOf.get(waiter) ?? []) takeOut(this.byRoute, route.id, waiter);
    this.routesOf.delete(waiter);
    takeOut(this.byAgent, agentKey(waiter), waiter);
  }

  /** Those who may take a task of that route. They may be removed while one walks along. */
  on(route: number): Iterable<Waiter> {
    this.sortInAnew();
    return this.byRoute.get(route) ?? [];
  }

  ofAgent({ id, projectId }: { readonly id: string; readonly projectId: string }): Iterable<Waiter> {
    return this.byAgent.get(rowKey(projectId, id)) ?? [];
  }

  /** The routes that somebody here waits for. */
  routes(): Route[] {
    this.sortInAnew();
    return [...new Map([...this.routesOf.values()].flat().map((route) => [route.id, route])).values()];
  }

  /** A route that was made since is one of theirs, too. */
  private sortInAnew(): void {
    if (this.known === this.all.size) return;
    this.known = this.all.size;
    this.byRoute.clear();
    for (const waiter of this.routesOf.keys()) this.sortIn(waiter);
  }

  private sortIn(waiter: Waiter): void {
    const routes = this.all.of(waiter.agent);
    this.routesOf.set(waiter, routes);
    for (const { id } of routes) {
      const together = this.byRoute.get(id) ?? new Set();
      this.byRoute.set(id, together.add(waiter));
    }
  }
}

const agentKey = ({ agent }: Waiter): string => rowKey(agent.project_id, agent.id);

function takeOut<K>(from: Map<K, Set<Waiter>>, key: K, waiter: Waiter): void {
  const together = from.get(key);
  together?.delete(waiter);
  if (together?.size === 0) from.delete(key);
}
