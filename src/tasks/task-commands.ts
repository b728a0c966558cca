import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../config/app-config.js';
import { bodyHash } from '../platform/body-hash.js';
import type { Batch, BatchHandler, LockMode, Outcome } from '../platform/database/batch.js';
import type { Row, Statement } from '../platform/database/statement.js';
import { DomainError, notFound } from '../shared/domain-error.js';
import { rowKey } from '../shared/ids.js';
import { create, type NewTask, type Surroundings } from './domain/creation.js';
import { decideReport, type Report, type Reporter } from './domain/report.js';
import type { Circumstances } from './domain/retry.js';
import type { Decision, Task } from './domain/task.js';
import { LeaseTokens } from './lease-tokens.js';
import { ParentWorkflows, type ParentWorkflow } from './parent-workflows.port.js';
import { existingTasks, lockTasks, pairs, type TaskKey } from './persistence/task-rows.js';
import { TaskChanges } from './task-changes.js';
import type { SourceAgent } from './task-events.js';
import { TaskReactions } from './task-reactions.js';

export interface CreateCommand {
  readonly kind: 'create';
  readonly task: NewTask;
  /** The client chose the id, so a task of that id may exist already. */
  readonly chosenId: boolean;
  readonly absentAgent: Surroundings['absentAgent'];
  /** Why its template refuses it. */
  readonly refusal: DomainError | undefined;
  readonly source: SourceAgent;
}

export interface ReportCommand {
  readonly kind: 'report';
  readonly key: TaskKey;
  readonly report: Report;
  readonly reporter: Omit<Reporter, 'fence'>;
  readonly attempt: number | undefined;
  readonly leaseToken: string | undefined;
}

/** Any other change of one task that needs nothing but the task: cancel, edit. */
export interface ChangeCommand {
  readonly kind: 'change';
  readonly key: TaskKey;
  readonly decide: (task: Task, at: Circumstances) => Decision;
  readonly source: SourceAgent;
}

export type TaskCommand = CreateCommand | ReportCommand | ChangeCommand;

export interface TaskResult {
  readonly task: Task;
  /** false: the task was there already, as posted. */
  readonly created: boolean;
}

/** The batch's way with tasks: lock what the commands name, decide each, write each row once. */
@Injectable()
export class TaskCommands implements BatchHandler<TaskCommand, TaskResult> {
  readonly name = 'tasks';
  readonly order = 20;
  readonly effects = { nameOf: effectName, isEffect: () => true };

  constructor(
    private readonly config: AppConfig,
    private readonly leaseTokens: LeaseTokens,
    private readonly parents: ParentWorkflows,
    private readonly reactions: TaskReactions,
  ) {}

  load(commands: readonly TaskCommand[], mode: LockMode): Statement[] {
    const keys = uniqueKeys(commands.flatMap(rowsOf));
    const parents = commands.flatMap((command) =>
      command.kind === 'create' && command.task.parent_workflow_id !== undefined
        ? [{ id: command.task.parent_workflow_id, projectId: command.task.project_id }]
        : [],
    );
    const workflows = uniqueKeys(parents);
    const parentLocks = workflows.length === 0 ? [] : [this.parents.lockShared(...pairs(workflows), mode)];
    return [...parentLocks, lockTasks(keys, mode), existingTasks(keys)];
  }

  decide(
    commands: readonly TaskCommand[],
    loaded: readonly (readonly Row[])[],
    batch: Batch,
  ): Outcome<TaskResult>[] {
    // The rows' shapes are the statements' above, the first of which is not always there.
    const [existing, locked, workflows = []] = loaded.toReversed() as unknown as [
      KeyRow[],
      Task[],
      ParentWorkflow[]?,
    ];
    const changes = new TaskChanges(batch, locked);
    const exists = new Set(existing.map((row) => rowKey(row.project_id, row.id)));
    const parents = new Map(
      workflows.map((workflow) => [rowKey(workflow.project_id, workflow.id), workflow]),
    );
    const before = new Map(locked.map((task) => [rowKey(task.project_id, task.id), task]));
    const isBusy = (key: TaskKey): boolean =>
      changes.find(key.projectId, key.id) === undefined && exists.has(rowKey(key.projectId, key.id));

    const outcomes = commands.map((command, ordinal): Outcome<TaskResult> => {
      if (rowsOf(command).some(isBusy)) return { busy: true };
      try {
        if (command.kind !== 'create')
          return { done: { task: this.change(command, changes, batch.now), created: false } };
        return this.create(command, changes, parents, { now: batch.now, mode: batch.mode, ordinal });
      } catch (error) {
        return { refused: error };
      }
    });
    const written = changes.flush();
    this.reactions.follow(batch, written, (task) => before.get(rowKey(task.project_id, task.id)));
    return outcomes;
  }

  private create(
    { task, absentAgent, refusal, source }: CreateCommand,
    changes: TaskChanges,
    parents: ReadonlyMap<string, ParentWorkflow>,
    when: { readonly now: string; readonly mode: LockMode; readonly ordinal: number },
  ): Outcome<TaskResult> {
    const stored = changes.find(task.project_id, task.id);
    if (stored !== undefined) return { done: { task: sameBody(stored, task), created: false } };
    if (refusal !== undefined) throw refusal;
    const workflow = parents.get(rowKey(task.project_id, task.parent_workflow_id ?? ''));
    const mayBeBusy = task.parent_workflow_id !== undefined && workflow === undefined && when.mode === 'skip';
    if (mayBeBusy) return { busy: true };
    const decision = create(task, {
      now: when.now,
      ordinal: when.ordinal,
      dependency: (id) => changes.find(task.project_id, id),
      workflow,
      absentAgent,
    });
    for (const id of decision.task.dependencies) changes.markAwaited(task.project_id, id);
    return { done: { task: changes.apply(decision, source), created: true } };
  }

  private change(command: ReportCommand | ChangeCommand, changes: TaskChanges, now: string): Task {
    const { key } = command;
    const task = changes.find(key.projectId, key.id);
    if (task === undefined) throw notFound('task', key.id);
    const at: Circumstances = { now, random: Math.random(), leaseSeconds: this.config.leaseSeconds };
    if (command.kind === 'change') return changes.apply(command.decide(task, at), command.source);
    const reporter = { ...command.reporter, fence: this.fence(task, command) };
    return changes.apply(
      decideReport(task, command.report, reporter, at),
      command.reporter.agent?.id ?? null,
    );
  }

  private fence(task: Task, { attempt, leaseToken }: ReportCommand): Reporter['fence'] {
    if (attempt === undefined && leaseToken === undefined) return 'none';
    const attemptHolds = attempt === undefined || attempt === task.attempt;
    const tokenHolds =
      leaseToken === undefined ||
      this.leaseTokens.matches(leaseToken, task.project_id, task.id, task.attempt);
    if (!attemptHolds || !tokenHolds) return 'stale';
    return leaseToken === undefined ? 'current' : 'proved';
  }
}

interface KeyRow {
  readonly id: string;
  readonly project_id: string;
}

/** A request creates or changes one task, or reports on several. */
function effectName(command: TaskCommand): string {
  if (command.kind !== 'report') return command.kind;
  const { key, report, attempt } = command;
  return `report ${rowKey(key.projectId, key.id)} ${bodyHash({ ...report, attempt })}`;
}

/** The task rows a command has to hold: its own, and those it depends on. */
function rowsOf(command: TaskCommand): TaskKey[] {
  if (command.kind !== 'create') return [command.key];
  const { id, project_id: projectId, dependencies = [] } = command.task;
  const own = command.chosenId ? [{ id, projectId }] : [];
  return [...own, ...dependencies.map((dependency) => ({ id: dependency, projectId }))];
}

function uniqueKeys(keys: readonly TaskKey[]): TaskKey[] {
  return [...new Map(keys.map((key) => [rowKey(key.projectId, key.id), key])).values()];
}

/** A client-chosen id is an idempotency key (CONTRACT §1). */
export function sameBody(stored: Task, posted: NewTask): Task {
  if (stored.body_hash === posted.body_hash) return stored;
  throw new DomainError('CONFLICT', `There is another task '${posted.id}' already.`, { task_id: posted.id });
}
