import { Injectable } from '@nestjs/common';
import { EventLog } from '../events/index.js';
import { Database } from '../platform/database/database.js';
import { type Candidate, capables } from './domain/candidate.js';
import { explain, type Situation } from './domain/explanation.js';
import type { Explanation } from './domain/rule.js';
import type { Task } from './domain/task.js';
import {
  AHEAD_OF,
  CANDIDATE_NAMED,
  CANDIDATES_OF_TYPE,
  NOW,
  OPEN_DEPENDENCIES,
} from './persistence/explain-rows.js';
import type { TaskKey } from './persistence/task-rows.js';
import { Routes } from './routes.js';
import { TaskReads } from './task-reads.service.js';

/** Routes that are looked at for what is ahead: an agent of all projects may have more. */
const ROUTES = 500;

/** Tells of a task what keeps it from running now. Each look is bounded, so that asking often harms nobody. */
@Injectable()
export class Explanations {
  constructor(
    private readonly database: Database,
    private readonly reads: TaskReads,
    private readonly routes: Routes,
    private readonly log: EventLog,
  ) {}

  async of(key: TaskKey): Promise<{ readonly task: Task; readonly explanation: Explanation }> {
    const task = await this.reads.get(key);
    const waits = task.status === 'queued' && !task.paused;
    const candidates = waits ? await this.candidates(task) : [];
    const around: Situation = {
      now: await this.now(),
      open: task.status === 'blocked' ? await this.open(task) : [],
      pausedSince: task.paused ? await this.pausedSince(task) : null,
      candidates,
      ahead: task.claimable ? await this.ahead(task, candidates) : { count: 0, first: [] },
    };
    return { task, explanation: explain(task, around) };
  }

  private async now(): Promise<string> {
    const [row] = await this.database.query<{ now: string }>(NOW);
    return row?.now ?? new Date().toISOString();
  }

  private open(task: Task): Promise<Situation['open'][number][]> {
    return this.database.query(OPEN_DEPENDENCIES, [task.project_id, task.dependencies]);
  }

  private async pausedSince({ project_id: projectId, parent_workflow_id: id }: Task): Promise<string | null> {
    const paused = id === null ? undefined : await this.log.latest(projectId, id, 'workflow.paused');
    return paused?.timestamp ?? null;
  }

  private candidates(task: Task): Promise<Candidate[]> {
    return task.requested_agent === null
      ? this.database.query<Candidate>(CANDIDATES_OF_TYPE, [task.project_id, task.agent_type])
      : this.database.query<Candidate>(CANDIDATE_NAMED, [task.project_id, task.requested_agent]);
  }

  /** What competes for the same agents, on whatever route of theirs. */
  private async ahead(task: Task, candidates: readonly Candidate[]): Promise<Situation['ahead']> {
    await this.routes.refresh();
    const routes = new Map(
      capables(task, candidates)
        .flatMap((agent) => this.routes.of(agent))
        .map((route) => [route.id, route]),
    );
    const looked = [...routes.values()].slice(0, ROUTES);
    const [row] = await this.database.query<Situation['ahead']>(AHEAD_OF, [
      looked.map((route) => route.project_id),
      looked.map((route) => route.id),
      task.rank,
      task.vtime,
      task.id,
    ]);
    return row ?? { count: 0, first: [] };
  }
}
