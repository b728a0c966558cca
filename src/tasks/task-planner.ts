import { Injectable } from '@nestjs/common';
import { AgentDirectory } from '../agents/index.js';
import { bodyHash } from '../platform/body-hash.js';
import { newId } from '../platform/new-id.js';
import { DomainError } from '../shared/domain-error.js';
import type { NewTask, Surroundings } from './domain/creation.js';
import { Routes } from './routes.js';

/** A task as it was posted: every field of {@link NewTask} that a client may choose. */
export type PostedTask = Omit<
  NewTask,
  'id' | 'project_id' | 'route' | 'body_hash' | 'stage_name' | 'stage_run'
> & {
  readonly id?: string;
};

export interface PlannedTask {
  readonly task: NewTask;
  readonly absentAgent: Surroundings['absentAgent'];
}

/** Looks up and draws what a new task needs before its transaction begins: id, route, the agent it names. */
@Injectable()
export class TaskPlanner {
  constructor(
    private readonly routes: Routes,
    private readonly agents: AgentDirectory,
  ) {}

  /** Plans one after the other; an agent that several of them name is looked up once. */
  async planAll(projectId: string, posted: readonly PostedTask[]): Promise<PlannedTask[]> {
    const absences = new Map<string, Promise<Surroundings['absentAgent']>>();
    const absence = (agentId: string): Promise<Surroundings['absentAgent']> => {
      const known = absences.get(agentId) ?? this.absence(projectId, agentId);
      absences.set(agentId, known);
      return known;
    };
    const planned: PlannedTask[] = [];
    for (const one of posted) planned.push(await this.plan(projectId, one, undefined, absence));
    return planned;
  }

  /** @param requestCorrelation stands in where neither the task nor a workflow gives one; no part of the task's identity */
  async plan(
    projectId: string,
    posted: PostedTask,
    requestCorrelation?: string,
    absenceOf = (agentId: string) => this.absence(projectId, agentId),
  ): Promise<PlannedTask> {
    const id = posted.id ?? newId();
    const dependencies = [...new Set(posted.dependencies ?? [])];
    if (dependencies.includes(id)) {
      throw new DomainError('DEPENDENCY_NOT_MET', `Task '${id}' cannot depend on itself.`, {
        dependency: id,
      });
    }
    const named = posted.assigned_agent;
    const route = await this.routes.idOf({
      projectId,
      agentType: named === undefined ? (posted.agent_type ?? posted.type) : '',
      capabilities: named === undefined ? (posted.required_capabilities ?? []) : [],
      assignedAgent: named ?? null,
    });
    const correlation =
      posted.parent_workflow_id === undefined ? requestCorrelation?.slice(0, 128) : undefined;
    const task: NewTask = {
      ...posted,
      id,
      project_id: projectId,
      dependencies,
      correlation_id: posted.correlation_id ?? correlation,
      route,
      body_hash: bodyHash(posted),
    };
    return { task, absentAgent: named === undefined ? undefined : await absenceOf(named) };
  }

  /** Why an agent cannot be reached; undefined when it can. */
  private async absence(projectId: string, agentId: string): Promise<Surroundings['absentAgent']> {
    const agent = await this.agents.find(projectId, agentId);
    if (agent !== undefined && agent.liveness !== 'offline') return undefined;
    return { agent_id: agentId, last_seen: agent?.last_seen ?? null, retry_after: 60 };
  }
}
