import { Injectable } from '@nestjs/common';
import { Database } from '../platform/database/database.js';
import { decodeCursor, type Page, pageKeyOf, pageOf } from '../platform/http/page.js';
import { notFound } from '../shared/domain-error.js';
import type { AgentKey } from './agent-directory.js';
import { type AgentView, agentView } from './agent-view.js';
import type { Agent } from './domain/agent.js';
import { HeldCounts } from './held-counts.js';
import { type AgentFilter, listAgents } from './persistence/agent-reads.js';
import { FIND_AGENT } from './persistence/agent-rows.js';

/** Rows per look when the page is filtered by load, which only the tasks know. */
const LOOK = 200;

/** Agents as clients see them. */
@Injectable()
export class AgentListing {
  constructor(
    private readonly database: Database,
    private readonly counts: HeldCounts,
  ) {}

  /** @throws DomainError NOT_FOUND */
  async get({ id, projectId }: AgentKey): Promise<AgentView> {
    const [agent] = await this.database.query<Agent>(FIND_AGENT, [id, projectId]);
    if (agent === undefined) throw notFound('agent', id);
    return this.show(agent);
  }

  /** An agent with its present load. */
  async show(agent: Agent): Promise<AgentView> {
    return agentView(agent, await this.counts.of(agent));
  }

  /** One page, newest first. @throws DomainError VALIDATION_FAILED for a cursor that was not made here */
  async list(filter: AgentFilter, limit: number, cursor: string | undefined): Promise<Page<AgentView>> {
    const byLoad = filter.status === 'active' || filter.status === 'busy';
    const size = byLoad ? LOOK : limit + 1;
    const found: { agent: Agent; view: AgentView }[] = [];
    let after = decodeCursor(cursor);
    for (;;) {
      const { values, ...sql } = listAgents(filter, after, size);
      const rows = await this.database.query<Agent>(sql, values);
      const shown = await Promise.all(rows.map(async (agent) => ({ agent, view: await this.show(agent) })));
      found.push(...shown.filter(({ view }) => !byLoad || view.status === filter.status));
      const last = rows.at(-1);
      if (last === undefined || rows.length < size || found.length > limit) break;
      after = pageKeyOf(last);
    }
    return pageOf(
      found,
      limit,
      ({ agent }) => pageKeyOf(agent),
      ({ view }) => view,
    );
  }
}
