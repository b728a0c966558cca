import { Injectable } from '@nestjs/common';
import { AgentDirectory } from '../agents/index.js';
import { bodyHash } from '../platform/body-hash.js';
import { newId } from '../platform/new-id.js';
import { DomainError } from '../shared/domain-error.js';
import type { NewTask, Surroundings } from './domain/creation.js';
import { isObject } from './domain/template.js';
import { FairRoutes } from './fair-routes.js';
import { Routes } from './routes.js';
import { type TemplatedInput, TaskTemplates } from './task-templates.js';

/** A task as it was posted: every field of {@link NewTask} that a client may choose. */
export type PostedTask = Omit<
  NewTask,
  'id' | 'project_id' | 'route' | 'body_hash' | 'stage_name' | 'stage_run' | 'template_version'
> & {
  readonly id?: string;
};

export interface PlannedTask {
  readonly task: NewTask;
  readonly absentAgent: Surroundings['absentAgent'];
  /** Why its template refuses it. A task that is stored already is answered whatever its template says now. */
  readonly refusal: DomainError | undefined;
}

/** Looks up and draws what a new task needs before its transaction begins: id, route, the agent and the template it names. */
@Injectable()
export class TaskPlanner {
  constructor(
    private readonly routes: Routes,
    private readonly fairness: FairRoutes,
    private readonly agents: AgentDirectory,
    private readonly templates: TaskTemplates,
  ) {}

  /** Plans one after the other; an agent or a template that several of them name is looked up once. */
  async planAll(projectId: string, posted: readonly PostedTask[]): Promise<PlannedTask[]> {
    const absences = new Map<string, Promise<Surroundings['absentAgent']>>();
    const absence = (agentId: string): Promise<Surroundings['absentAgent']> => {
      const known = absences.get(agentId) ?? this.absence(projectId, agentId);
      absences.set(agentId, known);
      return known;
    };
    const inputs = posted.map((one) => one.input_data);
    const templated = await this.templates.applyAll(projectId, inputs, (n) => `/tasks/${n}/input_data`);
    const planned: PlannedTask[] = [];
    for (const [n, one] of posted.entries()) {
      planned.push(withTemplate(await this.draw(projectId, one, undefined, absence), templated[n]));
    }
    return planned;
  }

  /** @param requestCorrelation stands in where neither the task nor a workflow gives one; no part of the task's identity */
  async plan(
    projectId: string,
    posted: PostedTask,
    requestCorrelation: string | undefined,
  ): Promise<PlannedTask> {
    const [drawn, [templated]] = await Promise.all([
      this.draw(projectId, posted, requestCorrelation),
      this.templates.applyAll(projectId, [posted.input_data], () => '/input_data'),
    ]);
    return withTemplate(drawn, templated);
  }

  private async draw(
    projectId: string,
    posted: PostedTask,
    requestCorrelation: string | undefined,
    absenceOf = (agentId: string) => this.absence(projectId, agentId),
  ): Promise<Omit<PlannedTask, 'refusal'>> {
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
      capabilities: posted.required_capabilities ?? [],
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
      fairness_key: await this.fairness.keyFor(route, posted.fairness_key),
      // Nobody can name a task before it has its id: who chose none is never compared.
      body_hash: posted.id === undefined ? '' : bodyHash(posted),
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

function withTemplate(
  { task, absentAgent }: Omit<PlannedTask, 'refusal'>,
  templated: TemplatedInput | undefined,
): PlannedTask {
  const { input_data: input } = task;
  if (templated === undefined || templated.version === null || !isObject(input))
    return { task, absentAgent, refusal: templated?.refusal };
  const { customized, version, refusal } = templated;
  const made = { ...task, input_data: { ...input, ...customized }, template_version: version };
  return { task: made, absentAgent, refusal };
}
