import { Logger } from '@nestjs/common';
import { rowKey } from '../shared/ids.js';
import type { TaskKey } from './persistence/task-rows.js';

/** Ended tasks of no workflow that are settled together, at most. */
const TOGETHER = 100;

/** What is settled together: the ended tasks of one workflow, or ended tasks of one project that belong to none. */
export interface EndedGroup {
  readonly projectId: string;
  readonly workflowId: string | null;
  readonly tasks: ReadonlyMap<string, TaskKey>;
}

/** Groups that wait: what is added of one workflow goes together, and one at a time; so many workflows at once at most. */
export class SettlementQueue {
  private readonly logger = new Logger(SettlementQueue.name);
  private readonly waiting = new Map<string, EndedGroup & { readonly tasks: Map<string, TaskKey> }>();
  private readonly running = new Map<string, Promise<void>>();
  private closed = false;

  constructor(
    private readonly atOnce: number,
    private readonly settle: (group: EndedGroup) => Promise<void>,
  ) {}

  add(projectId: string, workflowId: string | null, ended: Iterable<TaskKey>): void {
    this.put(rowKey(projectId, workflowId ?? ''), { projectId, workflowId }, ended);
    this.next();
  }

  /** Tasks of no workflow, each on its own: one that cannot be settled holds up none of the others. */
  addApart(ended: Iterable<TaskKey>): void {
    for (const key of ended) {
      // No workflow has such a name.
      this.put(rowKey(key.projectId, `task ${key.id}`), { projectId: key.projectId, workflowId: null }, [
        key,
      ]);
    }
    this.next();
  }

  /** These are settled: they need not wait. */
  forget(projectId: string, workflowId: string, settled: readonly TaskKey[]): void {
    const name = rowKey(projectId, workflowId);
    const group = this.waiting.get(name);
    for (const key of settled) group?.tasks.delete(rowKey(key.projectId, key.id));
    if (group?.tasks.size === 0) this.waiting.delete(name);
  }

  /** Begins nothing more, and resolves when what runs is done. What waits is found by the sweep of another process. */
  async close(): Promise<void> {
    this.closed = true;
    await Promise.all(this.running.values());
  }

  private put(name: string, of: Omit<EndedGroup, 'tasks'>, ended: Iterable<TaskKey>): void {
    const group = this.waiting.get(name) ?? { ...of, tasks: new Map<string, TaskKey>() };
    for (const key of ended) group.tasks.set(rowKey(key.projectId, key.id), key);
    this.waiting.set(name, group);
  }

  private next(): void {
    for (const [name, group] of this.waiting) {
      if (this.closed || this.running.size >= this.atOnce) return;
      if (this.running.has(name)) continue;
      this.waiting.delete(name);
      const run = this.settle(this.take(name, group))
        .catch((error: unknown) => this.logger.warn(`a settlement is put off: ${String(error)}`))
        .finally(() => {
          this.running.delete(name);
          this.next();
        });
      this.running.set(name, run);
    }
  }

  /** As much of a group as is settled together; the rest waits behind the others. */
  private take(name: string, group: EndedGroup): EndedGroup {
    if (group.workflowId !== null || group.tasks.size <= TOGETHER) return group;
    const tasks = [...group.tasks];
    this.waiting.set(name, { ...group, tasks: new Map(tasks.slice(TOGETHER)) });
    return { ...group, tasks: new Map(tasks.slice(0, TOGETHER)) };
  }
}
