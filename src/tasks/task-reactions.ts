import { Injectable, Logger } from '@nestjs/common';
import { isHeld, type Task } from './domain/task.js';

/** What listeners hear of tasks after a commit. All of it is a hint: who misses it finds the same in Postgres. */
interface Listeners {
  /** Tasks that can be claimed now. */
  claimable: (tasks: readonly Task[]) => void;
  /** Tasks that ended and that a workflow or a dependent has to hear of. */
  unsettled: (tasks: readonly Task[]) => void;
  /** Tasks that become claimable at their `available_at`. */
  delayed: (tasks: readonly Task[]) => void;
  /** Agents that hold less than before. */
  freed: (agents: readonly { readonly id: string; readonly projectId: string }[]) => void;
}

/** Tells what follows from committed changes. It knows the kinds of consequence, and none of those who draw them. */
@Injectable()
export class TaskReactions {
  private readonly logger = new Logger(TaskReactions.name);
  private readonly listeners: { [K in keyof Listeners]: Listeners[K][] } = {
    claimable: [],
    unsettled: [],
    delayed: [],
    freed: [],
  };

  on<K extends keyof Listeners>(what: K, listener: Listeners[K]): void {
    this.listeners[what].push(listener);
  }

  /** @param before the same tasks as they were; a task that is missing there is new */
  committed(tasks: readonly Task[], before: (task: Task) => Task | undefined): void {
    this.tell(
      'claimable',
      tasks.filter((task) => task.claimable),
    );
    this.tell(
      'unsettled',
      tasks.filter((task) => !task.settled),
    );
    this.tell(
      'delayed',
      tasks.filter((task) => task.status === 'queued' && task.available_at !== null),
    );
    const freed = tasks.flatMap((task) => {
      const was = before(task);
      if (was === undefined || !isHeld(was) || isHeld(task) || was.assigned_agent === null) return [];
      return [{ id: was.assigned_agent, projectId: was.agent_project ?? was.project_id }];
    });
    this.tell('freed', freed);
  }

  private tell<K extends keyof Listeners>(what: K, items: Parameters<Listeners[K]>[0]): void {
    if (items.length === 0) return;
    for (const listener of this.listeners[what]) {
      try {
        // K ties the listener's parameter to the items; TypeScript cannot follow it through the mapped type.
        (listener as (items: Parameters<Listeners[K]>[0]) => void)(items);
      } catch (error) {
        this.logger.error(
          `a listener of ${what} failed`,
          error instanceof Error ? error.stack : String(error),
        );
      }
    }
  }
}
