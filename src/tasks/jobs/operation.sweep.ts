import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Database } from '../../platform/database/database.js';
import { Transactor, type Transaction } from '../../platform/database/transactor.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import { DomainError } from '../../shared/domain-error.js';
import { redrive } from '../domain/lifecycle.js';
import type { Circumstances } from '../domain/retry.js';
import type { Decision, Task } from '../domain/task.js';
import {
  FORGET_OPERATIONS,
  moveOperation,
  TAKE_OPERATION,
  type TaskOperation,
} from '../persistence/operation-rows.js';
import { readPage, TaskList } from '../persistence/task-list.js';
import { LOCK_BUT_INPUT } from '../persistence/task-rows.js';
import { DEPENDENCY_STATES } from '../persistence/task-reads.js';
import { PausedParents } from '../paused-parents.js';
import { dependenciesMet } from '../task-transactions.js';
import { TaskWriter } from '../task-writer.js';

const SWEEP_MS = 500;
const FORGET_MS = 3_600_000;
const PER_BATCH = 100;

/**
 * Works operations off, a hundred tasks a transaction, newest first. The transaction that does the work moves the position
 * on, so a server that dies does nothing twice, and another one goes on.
 */
@Injectable()
export class OperationSweep implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly transactor: Transactor,
    private readonly tasks: TaskWriter,
    private readonly pausedParents: PausedParents,
    private readonly sweeps: Sweeps,
  ) {}

  onModuleInit(): void {
    this.sweeps.every('operations', SWEEP_MS, () => this.look());
    this.sweeps.every('operations-forget', FORGET_MS, async () => {
      const forgotten = await this.database.query(FORGET_OPERATIONS, [PER_BATCH]);
      return forgotten.length === PER_BATCH;
    });
  }

  private look(): Promise<boolean> {
    return this.transactor.run(async (tx) => {
      const [operation] = await tx.query<TaskOperation>(TAKE_OPERATION);
      if (operation === undefined) return false;
      tx.write(moveOperation(await this.advance(tx, operation)));
      return true;
    });
  }

  private async advance(tx: Transaction, operation: TaskOperation): Promise<TaskOperation> {
    const { project_id: projectId, position_at: at, position_id: id } = operation;
    // What ends from now on was not meant.
    const filter = { ...operation.filter, ended_before: operation.created_at };
    const from = at === null || id === null ? undefined : { createdAt: at, id };
    const list = new TaskList(projectId, filter, from);
    const { rows, next } = await readPage<Pick<Task, 'id' | 'project_id' | 'created_at'>>(
      list,
      PER_BATCH,
      (sql, values) => tx.query(sql, values),
      't.id, t.project_id, t.created_at',
    );
    const batch = rows.slice(0, PER_BATCH);
    const done = await this.redrive(
      tx,
      operation,
      batch.map((row) => row.id),
    );
    const last = batch.at(-1);
    const position = next ?? (last === undefined ? from : { createdAt: last.created_at, id: last.id });
    const over = rows.length <= PER_BATCH && next === undefined;
    return {
      ...operation,
      status: over ? 'completed' : 'running',
      done: operation.done + done,
      skipped: operation.skipped + batch.length - done,
      position_at: position?.createdAt ?? null,
      position_id: position?.id ?? null,
      updated_at: tx.now,
      ended_at: over ? tx.now : null,
    };
  }

  /** @returns how many were started anew; stages of workflows, and what waits for a failed dependency, are left alone */
  private async redrive(
    tx: Transaction,
    { project_id: projectId, filter }: TaskOperation,
    ids: readonly string[],
  ): Promise<number> {
    if (ids.length === 0) return 0;
    const isPaused = await this.pausedParents.lock(tx, projectId, ids);
    const locked = await tx.query<Task>(LOCK_BUT_INPUT, [projectId, ids]);
    const needed = [...new Set(locked.flatMap((task) => task.dependencies))].toSorted();
    const states =
      needed.length === 0
        ? []
        : await tx.query<{ id: string; status: string }>(DEPENDENCY_STATES, [projectId, needed]);
    const decide = (task: Task, at: Circumstances): Decision | undefined => {
      // Somebody else may have started it meanwhile.
      if (task.status !== filter.status) return undefined;
      const around = { dependenciesMet: dependenciesMet(task, states), isPaused: isPaused(task) };
      return unlessRefused(() => redrive(task, around, at));
    };
    return this.tasks.applyAll(tx, locked, decide).length;
  }
}

function unlessRefused(decide: () => Decision): Decision | undefined {
  try {
    return decide();
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}
