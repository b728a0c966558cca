import { rowKey } from '../shared/ids.js';
import type { DomainEvent } from '../shared/domain-event.js';
import type { Statement } from '../platform/database/statement.js';
import { hasEnded, type Decision, type Task } from './domain/task.js';
import {
  insertAttempts,
  insertDependencies,
  insertTasks,
  updateTasks,
  type AttemptEnd,
} from './persistence/task-rows.js';
import { eventsOf, type SourceAgent } from './task-events.js';

/** What a transaction takes: statements and events. A Batch and a Transaction are both one. */
export interface Recorder {
  readonly now: string;
  write(statement: Statement): void;
  record(event: DomainEvent): void;
}

/**
 * The tasks of one transaction and what was decided about them. Decisions fold: a later one on the same task sees what
 * an earlier one did; at the end each task is written once.
 */
export class TaskChanges {
  private readonly tasks = new Map<string, Task>();
  private readonly created = new Set<string>();
  private readonly changed = new Set<string>();
  private readonly attempts: AttemptEnd[] = [];

  constructor(
    private readonly into: Recorder,
    loaded: readonly Task[],
  ) {
    for (const task of loaded) this.tasks.set(rowKey(task.project_id, task.id), task);
  }

  find(projectId: string, id: string): Task | undefined {
    return this.tasks.get(rowKey(projectId, id));
  }

  /** Takes a decision in and records its events. @returns the task as it now is */
  apply(decision: Decision, source: SourceAgent): Task {
    const key = rowKey(decision.task.project_id, decision.task.id);
    const before = this.tasks.get(key);
    if (before === decision.task) return before;
    const { task, events } = eventsOf(decision.task, decision.facts, source);
    for (const event of events) this.into.record(event);
    if (before === undefined) this.created.add(key);
    else this.changed.add(key);
    // A task may be taken and end in one step (the seed's way); then only the task itself knows the attempt.
    const held = before !== undefined && before.attempt === task.attempt ? before : decision.task;
    if (decision.ended !== undefined)
      this.attempts.push({ held, ended: decision.ended, endedAt: this.into.now });
    this.tasks.set(key, task);
    return task;
  }

  /** A task that others now wait for: its end will have to be settled. */
  markAwaited(projectId: string, id: string): void {
    const key = rowKey(projectId, id);
    const task = this.tasks.get(key);
    if (task === undefined || task.awaited || hasEnded(task)) return;
    this.tasks.set(key, { ...task, awaited: true });
    this.changed.add(key);
  }

  /** Hands the writes over: inserts, dependencies, updates, attempts. */
  flush(): Task[] {
    const created = this.pick(this.created);
    const changed = this.pick([...this.changed].filter((key) => !this.created.has(key)));
    const withDependencies = created.filter((task) => task.dependencies.length > 0);
    if (created.length > 0) this.into.write(insertTasks(created));
    if (withDependencies.length > 0) this.into.write(insertDependencies(withDependencies));
    if (changed.length > 0) this.into.write(updateTasks(changed));
    if (this.attempts.length > 0) this.into.write(insertAttempts(this.attempts));
    return [...created, ...changed];
  }

  private pick(keys: Iterable<string>): Task[] {
    return [...keys].flatMap((key) => this.tasks.get(key) ?? []);
  }
}
