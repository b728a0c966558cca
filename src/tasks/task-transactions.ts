import { Injectable } from '@nestjs/common';
import { Transactor } from '../platform/database/transactor.js';
import { notFound } from '../shared/domain-error.js';
import { create } from './domain/creation.js';
import { creationOrder } from './domain/creation-order.js';
import { redrive } from './domain/lifecycle.js';
import type { Task } from './domain/task.js';
import { ParentWorkflows, type ParentWorkflow } from './parent-workflows.port.js';
import { PausedParents } from './paused-parents.js';
import { DEPENDENCY_STATES } from './persistence/task-reads.js';
import { type TaskKey } from './persistence/task-rows.js';
import { TaskChanges } from './task-changes.js';
import { sameBody } from './task-commands.js';
import type { SourceAgent } from './task-events.js';
import { type PlannedTask, TaskPlanner, type PostedTask } from './task-planner.js';
import { TaskReactions } from './task-reactions.js';
import { TaskWriter } from './task-writer.js';

const ENDED = ['completed', 'failed', 'cancelled'];

interface DependencyState {
  readonly id: string;
  readonly status: string;
}

/** May a task be started anew, as far as its dependencies go? Of those that are not kept any more nothing is known. */
export function dependenciesMet(task: Task, states: readonly DependencyState[]): boolean {
  const enough = task.on_dependency_failure === 'run' ? ENDED : ['completed'];
  return states.every(({ id, status }) => !task.dependencies.includes(id) || enough.includes(status));
}

/** Changes that no batch can hold, each in a transaction of its own: a list of tasks at once, a redrive. */
@Injectable()
export class TaskTransactions {
  constructor(
    private readonly transactor: Transactor,
    private readonly planner: TaskPlanner,
    private readonly writer: TaskWriter,
    private readonly parents: ParentWorkflows,
    private readonly pausedParents: PausedParents,
    private readonly reactions: TaskReactions,
  ) {}

  /** All or nothing; they may depend on each other. */
  async createAll(projectId: string, posted: readonly PostedTask[], source: SourceAgent): Promise<Task[]> {
    const planned = await this.planner.planAll(projectId, posted);
    const names = planned.flatMap(({ task }) => [task.id, ...(task.dependencies ?? [])]);
    const order = creationOrder(planned.map(({ task }) => task));
    const parentIds = [...new Set(planned.flatMap(({ task }) => task.parent_workflow_id ?? []))];
    return this.transactor.run(async (tx) => {
      const { values, ...lockParents } = this.parents.lockShared(
        parentIds,
        parentIds.map(() => projectId),
        'wait',
      );
      const workflows = await tx.query<ParentWorkflow>(lockParents, values);
      const present = await this.writer.lock(
        tx,
        [...new Set(names)].map((id) => ({ id, projectId })),
      );
      const changes = new TaskChanges(tx, present);
      const one = ({ task, absentAgent, refusal }: PlannedTask, ordinal: number): Task => {
        const stored = changes.find(projectId, task.id);
        if (stored !== undefined) return sameBody(stored, task);
        if (refusal !== undefined) throw refusal;
        const decision = create(task, {
          now: tx.now,
          ordinal,
          dependency: (id) => changes.find(projectId, id),
          workflow: workflows.find((workflow) => workflow.id === task.parent_workflow_id),
          absentAgent,
        });
        for (const id of decision.task.dependencies) changes.markAwaited(projectId, id);
        return changes.apply(decision, source);
      };
      const tasks = new Map<number, Task>();
      for (const index of order) {
        const plan = planned[index];
        if (plan !== undefined) tasks.set(index, one(plan, index));
      }
      const written = changes.flush();
      this.reactions.follow(tx, written, () => undefined);
      return planned.flatMap((_, index) => tasks.get(index) ?? []);
    });
  }

  /** Starts a failed or cancelled task anew; its dependencies are looked at again. */
  retry(key: TaskKey): Promise<Task> {
    return this.transactor.run(async (tx) => {
      const isPaused = await this.pausedParents.lock(tx, key.projectId, [key.id]);
      const [task] = await this.writer.lock(tx, [key]);
      if (task === undefined) throw notFound('task', key.id);
      const states = await tx.query<DependencyState>(DEPENDENCY_STATES, [key.projectId, task.dependencies]);
      const around = { dependenciesMet: dependenciesMet(task, states), isPaused: isPaused(task) };
      const [redriven = task] = this.writer.applyAll(tx, [task], (one, at) => redrive(one, around, at));
      return redriven;
    });
  }
}
