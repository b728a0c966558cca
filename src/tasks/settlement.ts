import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Transactor, type Transaction } from '../platform/database/transactor.js';
import { Database } from '../platform/database/database.js';
import { Sweeps } from '../platform/sweeps/sweeps.js';
import { failDependency, release } from './domain/lifecycle.js';
import type { Decision, Task } from './domain/task.js';
import type { Circumstances } from './domain/retry.js';
import { ParentWorkflows } from './parent-workflows.port.js';
import {
  SETTLE_DEPENDENCIES,
  SETTLE_DEPENDENTS,
  SETTLE_MARK,
  SETTLE_OF_WORKFLOW,
  SETTLE_UNSETTLED,
  type DependencyRow,
} from './persistence/settle-rows.js';
import { TaskReactions } from './task-reactions.js';
import { TaskWriter } from './task-writer.js';
import type { TaskKey } from './persistence/task-rows.js';

const AT_ONCE = 2;
const SWEEP_MS = 1_000;
const PER_TRANSACTION = 100;

/** What is settled together: the ended tasks of one workflow, or ended tasks that belong to none. */
interface Group {
  readonly projectId: string;
  readonly workflowId: string | null;
  readonly tasks: Map<string, TaskKey>;
}

/**
 * Draws what follows from a task's end, in a transaction of its own: its workflow goes on, its dependents are released
 * or fail. It is computed from the state, so a lost hint costs a second: the sweep finds `NOT settled`.
 */
@Injectable()
export class Settlement implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(Settlement.name);
  private readonly pending = new Map<string, Group>();
  private readonly busy = new Set<string>();
  private readonly running = new Set<Promise<void>>();
  private stopped = false;

  constructor(
    private readonly transactor: Transactor,
    private readonly database: Database,
    private readonly tasks: TaskWriter,
    private readonly parents: ParentWorkflows,
    private readonly reactions: TaskReactions,
    private readonly sweeps: Sweeps,
  ) {}

  onModuleInit(): void {
    this.reactions.on('unsettled', (tasks) => this.add(tasks));
    this.sweeps.every('settlement', SWEEP_MS, async () => {
      this.add(await this.database.query<Task>(SETTLE_UNSETTLED, [PER_TRANSACTION]));
      return false;
    });
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.running);
  }

  private add(tasks: readonly Pick<Task, 'id' | 'project_id' | 'parent_workflow_id'>[]): void {
    for (const { id, project_id: projectId, parent_workflow_id: workflowId } of tasks) {
      const key = workflowId === null ? '' : `${projectId} ${workflowId}`;
      const group = this.pending.get(key) ?? { projectId, workflowId, tasks: new Map<string, TaskKey>() };
      group.tasks.set(`${projectId} ${id}`, { id, projectId });
      this.pending.set(key, group);
    }
    this.next();
  }

  private next(): void {
    for (const [key, group] of this.pending) {
      if (this.stopped || this.running.size >= AT_ONCE) return;
      if (this.busy.has(key)) continue;
      this.pending.delete(key);
      this.busy.add(key);
      const run = this.settle(group)
        .catch((error: unknown) => this.logger.warn(`a settlement is put off: ${String(error)}`))
        .finally(() => {
          this.running.delete(run);
          this.busy.delete(key);
          this.next();
        });
      this.running.add(run);
    }
  }

  private settle({ projectId, workflowId, tasks }: Group): Promise<void> {
    return this.transactor.run(async (tx) => {
      let ended = [...tasks.values()];
      if (workflowId !== null) {
        // Read before the evaluation, which locks no tasks: what ends meanwhile it may not have seen, and is settled next.
        ended = keysOf(await tx.query<Task>(SETTLE_OF_WORKFLOW, [projectId, workflowId]));
        ended.push(...(await this.parents.evaluate(tx, projectId, workflowId)));
      }
      await this.meetDependents(tx, ended);
      tx.write({ ...SETTLE_MARK, values: columns(ended) });
    });
  }

  private async meetDependents(tx: Transaction, ended: readonly TaskKey[]): Promise<void> {
    const waiting = keysOf(await tx.query<Task>(SETTLE_DEPENDENTS, columns(ended)));
    if (waiting.length === 0) return;
    const locked = await this.tasks.lock(tx, waiting);
    // Read after the locks, in a new statement: two dependencies that end at once both see each other here.
    const rows = await tx.query<DependencyRow>(SETTLE_DEPENDENCIES, columns(waiting));
    this.tasks.applyAll(tx, locked, (task, at) =>
      meet(
        task,
        rows.filter((row) => row.task_id === task.id && row.project_id === task.project_id),
        at,
      ),
    );
  }
}

/** A blocked task and its dependencies as they are now: does it go on, fail, or wait? */
function meet(task: Task, dependencies: readonly DependencyRow[], at: Circumstances): Decision | undefined {
  if (task.status !== 'blocked') return undefined;
  const broken = dependencies.find((one) => one.status === 'failed' || one.status === 'cancelled');
  if (broken !== undefined && task.on_dependency_failure === 'fail') {
    return failDependency(task, { id: broken.id, status: broken.status }, at);
  }
  const open = dependencies.some((one) => !['completed', 'failed', 'cancelled'].includes(one.status));
  return open ? undefined : release(task, at);
}

function keysOf(rows: readonly { readonly id: string; readonly project_id: string }[]): TaskKey[] {
  return rows.map((row) => ({ id: row.id, projectId: row.project_id }));
}

function columns(keys: readonly TaskKey[]): [string[], string[]] {
  return [keys.map((key) => key.id), keys.map((key) => key.projectId)];
}
