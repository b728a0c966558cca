import { Injectable } from '@nestjs/common';
import { AgentDirectory, type AgentKey, type AgentRow } from '../agents/index.js';
import { Database } from '../platform/database/database.js';
import { ANY_PROJECT } from '../shared/ids.js';
import { Routes } from './routes.js';

/** Projects that one claim looks into at most. */
const AT_ONCE = 32;

/**
 * The first projects behind $2 with work on routes $1, found by stepping through the claim's index from one to the next:
 * a project with work is left at its first route that counts.
 */
const PROJECTS_WITH_WORK = {
  name: 'projects-with-work',
  text: `
    WITH RECURSIVE work AS (
      (SELECT t.project_id, t.route FROM tasks t WHERE t.claimable AND t.project_id > $2::text
        ORDER BY t.project_id, t.route LIMIT 1)
      UNION ALL
      SELECT next.* FROM work w CROSS JOIN LATERAL (
        SELECT t.project_id, t.route FROM tasks t
        WHERE t.claimable
          AND (t.project_id, t.route) > (w.project_id, CASE WHEN w.route = ANY($1::int[]) THEN 2147483647 ELSE w.route END)
        ORDER BY t.project_id, t.route LIMIT 1) next)
    SELECT w.project_id FROM work w WHERE w.route = ANY($1::int[]) LIMIT ${AT_ONCE}`,
};

/** An agent of all projects is given work of some of them at a time, in turn, so that its claim costs no more than another's. */
@Injectable()
export class ProjectTurns {
  /** Where the last turn of an agent type ended. */
  private readonly ends = new Map<string, string>();

  constructor(
    private readonly database: Database,
    private readonly routes: Routes,
    private readonly directory: AgentDirectory,
  ) {}

  /** May an agent have work in more projects than one claim looks into? */
  matterTo({ projectId }: AgentKey): boolean {
    return projectId === ANY_PROJECT && this.routes.size > AT_ONCE;
  }

  /** The projects whose turn it is for an agent; undefined: there is no need to choose. */
  async next(
    { projectId, id }: AgentKey,
    known: AgentRow | undefined,
  ): Promise<ReadonlySet<string> | undefined> {
    const agent = known ?? (await this.directory.find(projectId, id));
    if (agent === undefined) return undefined;
    const routes = this.routes.of(agent);
    if (routes.length <= AT_ONCE || new Set(routes.map((route) => route.project_id)).size <= AT_ONCE)
      return undefined;
    const ids = routes.map((route) => route.id);
    const turn = await this.after(ids, this.ends.get(agent.type) ?? '');
    this.ends.set(agent.type, turn.at(-1) ?? '');
    if (turn.length < AT_ONCE) turn.push(...(await this.after(ids, '')));
    return new Set(turn.slice(0, AT_ONCE));
  }

  private async after(routes: readonly number[], project: string): Promise<string[]> {
    const rows = await this.database.query<{ project_id: string }>(PROJECTS_WITH_WORK, [routes, project]);
    return rows.map((row) => row.project_id);
  }
}
