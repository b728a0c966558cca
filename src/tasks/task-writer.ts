import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../config/app-config.js';
import type { Batch } from '../platform/database/batch.js';
import type { Transaction } from '../platform/database/transactor.js';
import { rowKey } from '../shared/ids.js';
import { create, type NewTask } from './domain/creation.js';
import type { Circumstances } from './domain/retry.js';
import { type Decision, type RetryPolicy, type Priority, type Task } from './domain/task.js';
import { lockTasks, type TaskKey } from './persistence/task-rows.js';
import { FairRoutes } from './fair-routes.js';
import { type RouteKey, Routes } from './routes.js';
import { TaskChanges } from './task-changes.js';
import { TaskReactions } from './task-reactions.js';

/** A stage of a workflow that becomes a task. */
export interface NewStageTask {
  readonly id: string;
  readonly projectId: string;
  readonly type: string;
  readonly agentType: string;
  readonly priority?: Priority;
  readonly parentWorkflowId: string;
  readonly stageName: string;
  readonly stageRun: number;
  readonly inputData: unknown;
  /** Of the template that the stage's input names. */
  readonly templateVersion?: number;
  readonly timeout?: number;
  readonly retryPolicy?: Partial<RetryPolicy>;
  readonly requiredCapabilities?: readonly string[];
  readonly correlationId: string;
}

/** What of a stage decides who may take its task. */
type Routed = Pick<NewStageTask, 'projectId' | 'agentType' | 'requiredCapabilities'>;

/** A stage's task whose route is known. */
export type PlannedStageTask = NewTask;

/** What a transaction or a batch takes of changed tasks. */
type Recording = Pick<Transaction, 'now' | 'write' | 'record' | 'afterCommit'> &
  Partial<Pick<Batch, 'beforeWrite'>>;

/** Changes tasks inside somebody's transaction: workflows, settlements, sweeps. Their reactions follow its commit. */
@Injectable()
export class TaskWriter {
  constructor(
    private readonly config: AppConfig,
    private readonly routes: Routes,
    private readonly fairness: FairRoutes,
    private readonly reactions: TaskReactions,
  ) {}

  /** Creates the tasks of stages. Their workflow's row is locked by the caller. */
  async create(tx: Transaction, tasks: readonly NewStageTask[]): Promise<void> {
    await this.prepareRoutes(tasks);
    const planned: PlannedStageTask[] = [];
    for (const task of tasks) planned.push(this.plan(task, await this.routes.idOf(routeOf(task))));
    this.insert(tx, planned);
  }

  /** Makes the routes of stages that may become tasks: {@link planNow} knows them then. */
  prepareRoutes(stages: readonly Routed[]): Promise<void> {
    return this.routes.prepare(stages.map(routeOf));
  }

  /** Plans tasks of stages with what is known here; undefined when the database has to be asked for a route. */
  planNow(tasks: readonly NewStageTask[]): PlannedStageTask[] | undefined {
    const planned: PlannedStageTask[] = [];
    for (const task of tasks) {
      const route = this.routes.knownId(routeOf(task));
      if (route === undefined) return undefined;
      planned.push(this.plan(task, route));
    }
    return planned;
  }

  /** Creates planned tasks of stages. Their workflows' rows are locked by the caller. */
  insert(into: Recording, planned: readonly PlannedStageTask[]): void {
    if (planned.length === 0) return;
    const changes = new TaskChanges(into, []);
    for (const [ordinal, task] of planned.entries()) {
      const workflow = { status: 'running', correlation_id: task.correlation_id ?? task.id };
      const around = {
        now: into.now,
        ordinal,
        dependency: () => undefined,
        workflow,
        absentAgent: undefined,
      };
      changes.apply(create(task, around), null);
    }
    this.finish(into, changes, []);
  }

  /** Locks tasks by id and reads them. */
  lock(tx: Transaction, keys: readonly TaskKey[]): Promise<Task[]> {
    const { values, ...sql } = lockTasks(keys, 'wait');
    return tx.query<Task>(sql, values);
  }

  /** Decides about locked tasks, one by one, and writes what changed. `undefined` leaves a task alone. @returns the changed tasks */
  applyAll(
    tx: Transaction,
    tasks: readonly Task[],
    decide: (task: Task, at: Circumstances) => Decision | undefined,
  ): Task[] {
    const changes = new TaskChanges(tx, tasks);
    for (const task of tasks) {
      const decision = decide(task, {
        now: tx.now,
        random: Math.random(),
        leaseSeconds: this.config.leaseSeconds,
      });
      if (decision !== undefined) changes.apply(decision, null);
    }
    return this.finish(tx, changes, tasks);
  }

  private finish(into: Recording, changes: TaskChanges, before: readonly Task[]): Task[] {
    const written = changes.flush();
    const were = new Map(before.map((task) => [rowKey(task.project_id, task.id), task]));
    this.reactions.follow(into, written, (task) => were.get(rowKey(task.project_id, task.id)));
    return written;
  }

  private plan(task: NewStageTask, route: number): PlannedStageTask {
    return {
      id: task.id,
      project_id: task.projectId,
      type: task.type,
      agent_type: task.agentType,
      parent_workflow_id: task.parentWorkflowId,
      stage_name: task.stageName,
      stage_run: task.stageRun,
      input_data: task.inputData,
      template_version: task.templateVersion ?? null,
      correlation_id: task.correlationId,
      route,
      fairness_key: this.fairness.keyless(route),
      body_hash: '',
      ...(task.priority === undefined ? {} : { priority: task.priority }),
      ...(task.timeout === undefined ? {} : { timeout: task.timeout }),
      ...(task.retryPolicy === undefined ? {} : { retry_policy: task.retryPolicy }),
      ...(task.requiredCapabilities === undefined
        ? {}
        : { required_capabilities: task.requiredCapabilities }),
    };
  }
}

function routeOf({ projectId, agentType, requiredCapabilities: capabilities = [] }: Routed): RouteKey {
  return { projectId, agentType, capabilities, assignedAgent: null };
}
