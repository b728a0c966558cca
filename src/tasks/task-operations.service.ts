import { Injectable } from '@nestjs/common';
import { bodyHash } from '../platform/body-hash.js';
import { Database } from '../platform/database/database.js';
import { Transactor } from '../platform/database/transactor.js';
import { newId } from '../platform/new-id.js';
import { DomainError, notFound } from '../shared/domain-error.js';
import { ANY_PROJECT } from '../shared/ids.js';
import { onlyProject } from '../shared/only-project.js';
import { FIND_OPERATION, insertOperation, type TaskOperation } from './persistence/operation-rows.js';
import { TaskList, type TaskFilter } from './persistence/task-list.js';

/** `matched` is counted so far and no further. */
const COUNTED = 100_000;

/** Work on many tasks that outlives its request: it is written down, and {@link OperationSweep} does it. */
@Injectable()
export class TaskOperations {
  constructor(
    private readonly database: Database,
    private readonly transactor: Transactor,
  ) {}

  /**
   * Begins to start anew what has failed, or was cancelled, up to now.
   * @throws DomainError CONFLICT when the id is taken by another operation
   */
  async retry(
    projectId: string,
    filter: TaskFilter,
    chosenId: string | undefined,
  ): Promise<{ readonly operation: TaskOperation; readonly created: boolean }> {
    const id = chosenId ?? newId();
    const hash = bodyHash(filter);
    return this.transactor.run(async (tx) => {
      const [stored] =
        chosenId === undefined ? [] : await tx.query<TaskOperation>(FIND_OPERATION, [id, projectId]);
      if (stored !== undefined) return { operation: sameBody(stored, hash), created: false };
      const { values, ...count } = new TaskList(projectId, { ...filter, ended_before: tx.now }).count(
        COUNTED,
      );
      const [counted] = await tx.query<{ n: number }>(count, values);
      const operation: TaskOperation = {
        id,
        project_id: projectId,
        kind: 'retry',
        status: 'running',
        filter,
        matched: counted?.n ?? 0,
        done: 0,
        skipped: 0,
        position_at: null,
        position_id: null,
        body_hash: hash,
        created_at: tx.now,
        updated_at: tx.now,
        ended_at: null,
      };
      tx.write(insertOperation(operation));
      return { operation, created: true };
    });
  }

  /** @throws DomainError NOT_FOUND, or CONFLICT when the id is in several projects */
  async get(projectId: string, id: string): Promise<TaskOperation> {
    const project = projectId === ANY_PROJECT ? null : projectId;
    const found = await this.database.query<TaskOperation>(FIND_OPERATION, [id, project]);
    const only = onlyProject(
      'operation',
      id,
      found.map((one) => one.project_id),
    );
    const operation = found.find((one) => one.project_id === only);
    if (operation === undefined) throw notFound('operation', id);
    return operation;
  }
}

function sameBody(stored: TaskOperation, hash: string): TaskOperation {
  if (stored.body_hash === hash) return stored;
  throw new DomainError('CONFLICT', `There is another operation '${stored.id}' already.`, {
    operation_id: stored.id,
  });
}
