import { Injectable, Logger } from '@nestjs/common';
import type { Batch } from '../platform/database/batch.js';
import type { Transaction } from '../platform/database/transactor.js';
import { isHeld, type Task } from './domain/task.js';

/**
 * When listeners hear of a change. `soon`: it is decided in a batch that they may join, and not committed. `now`: it is
 * committed. `again`: it is committed, and they heard of it when it was to come.
 */
export type Moment = 'soon' | 'now' | 'again';

/** What listeners hear of tasks. All of it is a hint: who misses it finds the same in Postgres. */
interface Listeners {
  /** Tasks that can be claimed. */
  claimable: (tasks: readonly Task[], moment: Moment) => void;
  /** Tasks that ended and that a workflow or a dependent has to hear of. */
  unsettled: (tasks: readonly Task[], moment: Moment) => void;
  /** Tasks that become claimable at their `available_at`. */
  delayed: (tasks: readonly Task[], moment: Moment) => void;
  /** Agents that hold less than before. */
  freed: (agents: readonly { readonly id: string; readonly projectId: string }[], moment: Moment) => void;
}

/** The tasks of one transaction as they were before; undefined for a new one. */
export type Before = (task: Task) => Task | undefined;

/** What tells of its end, and a batch of what is to come. */
type Telling = Pick<Transaction, 'afterCommit'> & Partial<Pick<Batch, 'beforeWrite'>>;

/** Tells what follows from changes. It knows the kinds of consequence, and none of those who draw them. */
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

  /** Tells of changes that a transaction has decided, when their time has come. */
  follow(into: Telling, tasks: readonly Task[], before: Before): void {
    let foretold = false;
    into.beforeWrite?.(() => {
      foretold = true;
      this.hear(tasks, before, 'soon');
    });
    into.afterCommit(() => this.hear(tasks, before, foretold ? 'again' : 'now'));
  }

  private hear(tasks: readonly Task[], before: Before, moment: Moment): void {
    this.tell(
      'claimable',
      tasks.filter((task) => task.claimable),
      moment,
    );
    this.tell(
      'unsettled',
      tasks.filter((task) => !task.settled),
      moment,
    );
    this.tell(
      'delayed',
      tasks.filter((task) => task.status === 'queued' && task.available_at !== null),
      moment,
    );
    const freed = tasks.flatMap((task) => {
      const was = before(task);
      if (was === undefined || !isHeld(was) || isHeld(task) || was.assigned_agent === null) return [];
      return [{ id: was.assigned_agent, projectId: was.agent_project ?? was.project_id }];
    });
    this.tell('freed', freed, moment);
  }

  private tell<K extends keyof Listeners>(what: K, items: Parameters<Listeners[K]>[0], moment: Moment): void {
    if (items.length === 0) return;
    for (const listener of this.listeners[what]) {
      try {
        // K ties the listener's parameter to the items; TypeScript cannot follow it through the mapped type.
        (listener as (items: Parameters<Listeners[K]>[0], moment: Moment) => void)(items, moment);
      } catch (error) {
        this.logger.error(
          `a listener of ${what} failed`,
          error instanceof Error ? error.stack : String(error),
        );
      }
    }
  }
}
