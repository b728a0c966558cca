import { Injectable } from '@nestjs/common';
import { AgentDirectory, AgentPresence, assertSession } from '../agents/index.js';
import { Batcher } from '../platform/database/batcher.js';
import { cancel, edit, type Edit } from './domain/lifecycle.js';
import type { Report } from './domain/report.js';
import type { Task } from './domain/task.js';
import type { TaskKey } from './persistence/task-rows.js';
import { TaskCommands, type ChangeCommand, type TaskResult } from './task-commands.js';
import { TaskPlanner, type PostedTask } from './task-planner.js';

/** Who acts on a task: an agent, or a client (`id` null). */
export interface Actor {
  readonly agentId: string | null;
  /** Project of the agent, `*` for one that serves all. */
  readonly projectId: string;
}

/** A report with the proofs that may come with it. */
export interface FencedReport extends Report {
  readonly attempt?: number;
  readonly lease_token?: string;
  readonly session_epoch?: number;
}

/** Changes of tasks on request: each is decided in a batch, and answered when it is committed. */
@Injectable()
export class TasksService {
  constructor(
    private readonly batcher: Batcher,
    private readonly commands: TaskCommands,
    private readonly planner: TaskPlanner,
    private readonly agents: AgentDirectory,
    private readonly presence: AgentPresence,
  ) {}

  /** @param request its size, for the bounds of batch and queue, and the correlation id it carried */
  async create(
    projectId: string,
    posted: PostedTask,
    actor: Actor,
    request: { readonly bytes: number; readonly correlationId: string | undefined },
  ): Promise<TaskResult> {
    const planned = await this.planner.plan(projectId, posted, request.correlationId);
    const command = {
      kind: 'create' as const,
      ...planned,
      chosenId: posted.id !== undefined,
      source: actor.agentId,
    };
    return this.batcher.submit(this.commands, command, request.bytes);
  }

  async report(key: TaskKey, report: FencedReport, actor: Actor, bytes: number): Promise<Task> {
    const { attempt, lease_token: leaseToken, session_epoch: named, ...told } = report;
    const agent = actor.agentId === null ? null : { id: actor.agentId, projectId: actor.projectId };
    // A report that takes its own task in the same step (the seed's way) is of the agent's present session.
    const mayTake = told.status === 'in_progress' && attempt === undefined && leaseToken === undefined;
    const asked = agent !== null && (mayTake || named !== undefined);
    const present = asked ? await this.agents.find(agent.projectId, agent.id) : undefined;
    if (present !== undefined) assertSession(present, named);
    const reporter = { agent, sessionEpoch: present?.session_epoch ?? named ?? null };
    const command = { kind: 'report' as const, key, report: told, reporter, attempt, leaseToken };
    const [{ task }] = await Promise.all([
      this.batcher.submit(this.commands, command, bytes),
      agent === null ? undefined : this.presence.seen(agent.projectId, agent.id),
    ]);
    return task;
  }

  edit(key: TaskKey, changes: Edit, actor: Actor): Promise<Task> {
    return this.change(key, (task, at) => edit(task, changes, at), actor);
  }

  cancel(key: TaskKey, actor: Actor): Promise<Task> {
    return this.change(key, (task, at) => cancel(task, 'requested', at), actor);
  }

  private async change(key: TaskKey, decide: ChangeCommand['decide'], actor: Actor): Promise<Task> {
    const command = { kind: 'change' as const, key, decide, source: actor.agentId };
    return (await this.batcher.submit(this.commands, command)).task;
  }
}
