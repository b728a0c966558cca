import { Injectable } from '@nestjs/common';
import { EndWatch, type Envelope, Envelopes, EventLog } from '../events/index.js';
import { Database } from '../platform/database/database.js';
import { JointRead } from '../platform/database/joint-read.js';
import { decodeCursor } from '../platform/http/page.js';
import type { Patience } from '../platform/http/patience.js';
import { notFound } from '../shared/domain-error.js';
import { ANY_PROJECT, rowKey } from '../shared/ids.js';
import { onlyProject } from '../shared/only-project.js';
import { hasEnded, isHeld, type EndedAttempt, type Task, type TaskError } from './domain/task.js';
import { type ListPage, readPage, TaskList, type TaskFilter } from './persistence/task-list.js';
import { ATTEMPTS_OF_TASK, FIND_TASKS, LOCATE_TASKS } from './persistence/task-reads.js';
import type { TaskKey } from './persistence/task-rows.js';

/** One attempt of a task; `ended_at` and `outcome` are null while it runs. */
export interface Attempt {
  readonly attempt: number;
  readonly agent_id: string | null;
  readonly assigned_at: string | null;
  readonly ended_at: string | null;
  readonly outcome: EndedAttempt['outcome'] | null;
  readonly error: TaskError | null;
}

/** Everything that only looks at tasks. */
@Injectable()
export class TaskReads {
  private readonly found: JointRead<TaskKey, Task>;

  constructor(
    private readonly database: Database,
    private readonly watch: EndWatch,
    private readonly log: EventLog,
    private readonly envelopes: Envelopes,
  ) {
    this.found = new JointRead(nameOf, (keys) => this.findAll(keys));
  }

  /**
   * Where an id is: in the caller's project, or, for a `*` token, wherever there is one.
   * @throws DomainError NOT_FOUND, or CONFLICT listing the projects when the id is in several
   */
  async locate(projectId: string, id: string): Promise<TaskKey> {
    if (projectId !== ANY_PROJECT) return { id, projectId };
    const projects = await this.projectsOf([id]);
    return { id, projectId: onlyProject('task', id, projects.get(id) ?? []) };
  }

  /** The projects that have tasks of these ids, in one statement; an id that nobody has is left out. */
  async projectsOf(ids: readonly string[]): Promise<ReadonlyMap<string, string[]>> {
    const projects = new Map<string, string[]>();
    if (ids.length === 0) return projects;
    for (const row of await this.database.query<{ id: string; project_id: string }>(LOCATE_TASKS, [ids])) {
      projects.set(row.id, [...(projects.get(row.id) ?? []), row.project_id]);
    }
    return projects;
  }

  async get(key: TaskKey): Promise<Task> {
    const task = await this.found.get(key);
    if (task === undefined) throw notFound('task', key.id);
    return task;
  }

  private async findAll(keys: readonly TaskKey[]): Promise<ReadonlyMap<string, Task>> {
    const values = [keys.map((key) => key.id), keys.map((key) => key.projectId)];
    const tasks = await this.database.query<Task>(FIND_TASKS, values);
    return new Map(tasks.map((task) => [rowKey(task.project_id, task.id), task]));
  }

  /** The task when it has ended, or as it is when the wait is over. */
  ended(key: TaskKey, waitMs: number, patience: Patience): Promise<Task> {
    return this.watch.until(key, waitMs, () => this.get(key), hasEnded, patience);
  }

  /** Rows of one page and one more, newest first. */
  list(
    projectId: string,
    { cursor, limit, ...filter }: TaskFilter & { readonly cursor?: string; readonly limit: number },
  ): Promise<ListPage<Task>> {
    const project = projectId === ANY_PROJECT ? null : projectId;
    const list = new TaskList(project, filter, decodeCursor(cursor));
    return readPage<Task>(list, limit, (sql, values) => this.database.query(sql, values));
  }

  /** Every attempt and every event of a task, in order. */
  async history(key: TaskKey): Promise<{ attempts: Attempt[]; events: Envelope[] }> {
    const task = await this.get(key);
    const attempts = await this.database.query<Attempt>(ATTEMPTS_OF_TASK, [key.id, key.projectId]);
    if (isHeld(task)) {
      const { attempt, assigned_agent: agentId, assigned_at: assignedAt } = task;
      attempts.push({
        attempt,
        agent_id: agentId,
        assigned_at: assignedAt,
        ended_at: null,
        outcome: null,
        error: null,
      });
    }
    const events = await this.log.ofAggregate(key.projectId, 'task', key.id);
    return { attempts, events: events.map((event) => this.envelopes.of(event)) };
  }
}

const nameOf = ({ id, projectId }: TaskKey): string => rowKey(projectId, id);
