import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Database } from '../platform/database/database.js';
import { ANY_PROJECT } from '../shared/ids.js';

/** Who may take a task. A task that names an agent is for that agent, whatever its type, once it has the capabilities. */
export interface RouteKey {
  readonly projectId: string;
  readonly agentType: string;
  readonly capabilities: readonly string[];
  readonly assignedAgent: string | null;
}

export interface Route {
  readonly id: number;
  readonly project_id: string;
  readonly agent_type: string;
  readonly capabilities: readonly string[];
  readonly assigned_agent: string;
}

/** What of an agent decides which tasks it may take. */
export interface RoutedAgent {
  readonly id: string;
  readonly project_id: string;
  readonly type: string;
  readonly capabilities: readonly string[];
}

/** A smaller id may be committed after a larger one was read. */
const OVERLAP = 100;

const NEW_ROUTES = {
  name: 'routes-new',
  text: 'SELECT id, project_id, agent_type, capabilities, assigned_agent FROM routes WHERE id > $1 ORDER BY id',
};

const MAKE_ROUTE = {
  name: 'routes-make',
  text: `
    INSERT INTO routes (project_id, agent_type, capabilities, assigned_agent) VALUES ($1, $2, $3, $4)
    ON CONFLICT (project_id, agent_type, capabilities, assigned_agent) DO NOTHING`,
};

const MAKE_ROUTES = {
  name: 'routes-make-all',
  text: `
    INSERT INTO routes (project_id, agent_type, capabilities, assigned_agent)
    SELECT DISTINCT k.project_id, k.agent_type, k.capabilities, ''
    FROM json_to_recordset($1::json) AS k(project_id text, agent_type text, capabilities text[])
    ORDER BY k.project_id, k.agent_type, k.capabilities
    ON CONFLICT (project_id, agent_type, capabilities, assigned_agent) DO NOTHING`,
};

const FIND_ROUTE = {
  name: 'routes-find',
  text: `
    SELECT id, project_id, agent_type, capabilities, assigned_agent FROM routes
    WHERE project_id = $1 AND agent_type = $2 AND capabilities = $3 AND assigned_agent = $4`,
};

/**
 * The cached table of routes: "who may take it" as one small integer, so that a claim looks at an index instead of
 * filtering (DESIGN §4). Rows are only ever added.
 */
@Injectable()
export class Routes implements OnModuleInit {
  private readonly ids = new Map<string, number>();
  private readonly byType = new Map<string, Route[]>();
  private readonly byAgent = new Map<string, Route[]>();
  private newest = 0;

  constructor(private readonly database: Database) {}

  async onModuleInit(): Promise<void> {
    await this.refresh();
  }

  /** Makes those routes that are not known yet, none of which names an agent: {@link knownId} finds them then. */
  async prepare(keys: readonly RouteKey[]): Promise<void> {
    const missing = keys.filter((key) => this.knownId(key) === undefined);
    if (missing.length > 1) {
      const rows = missing.map(({ projectId, agentType, capabilities }) => ({
        project_id: projectId,
        agent_type: agentType,
        capabilities: [...new Set(capabilities)].toSorted(),
      }));
      await this.database.query(MAKE_ROUTES, [JSON.stringify(rows)]);
      await this.refresh();
    }
    for (const key of missing) await this.idOf(key);
  }

  /** The route of a task, if it is known here; else {@link idOf} has to be asked. */
  knownId(key: RouteKey): number | undefined {
    return this.ids.get(cacheKey(key));
  }

  /** The route of a task; made when it is the first of its kind, in a statement of its own: no batch waits for it. */
  async idOf(key: RouteKey): Promise<number> {
    const known = this.ids.get(cacheKey(key));
    if (known !== undefined) return known;
    const capabilities = [...new Set(key.capabilities)].toSorted();
    const values = [key.projectId, key.agentType, capabilities, key.assignedAgent ?? ''];
    await this.database.query(MAKE_ROUTE, values);
    const [route] = await this.database.query<Route>(FIND_ROUTE, values);
    if (route === undefined) throw new Error('a route that was made cannot be found');
    this.add(route);
    return route.id;
  }

  /** How many routes are known: it only grows, and a route never changes. */
  get size(): number {
    return this.ids.size;
  }

  /** Routes an agent may be given work from. */
  of(agent: RoutedAgent): Route[] {
    const capabilities = new Set(agent.capabilities);
    const inReach = (route: Route): boolean =>
      agent.project_id === ANY_PROJECT || route.project_id === agent.project_id;
    const named = [...(this.byType.get(agent.type) ?? []), ...(this.byAgent.get(agent.id) ?? [])];
    return named.filter(
      (route) => inReach(route) && route.capabilities.every((one) => capabilities.has(one)),
    );
  }

  /** Reads what other processes added. @returns true when there was something */
  async refresh(): Promise<boolean> {
    const rows = await this.database.query<Route>(NEW_ROUTES, [this.newest - OVERLAP]);
    const known = this.ids.size;
    for (const route of rows) {
      this.newest = Math.max(this.newest, route.id);
      this.add(route);
    }
    return this.ids.size > known;
  }

  private add(route: Route): void {
    const key = cacheKey({
      projectId: route.project_id,
      agentType: route.agent_type,
      capabilities: route.capabilities,
      assignedAgent: route.assigned_agent || null,
    });
    if (this.ids.has(key)) return;
    this.ids.set(key, route.id);
    const map = route.assigned_agent === '' ? this.byType : this.byAgent;
    const name = route.assigned_agent === '' ? route.agent_type : route.assigned_agent;
    const routes = map.get(name);
    if (routes === undefined) map.set(name, [route]);
    else routes.push(route);
  }
}

function cacheKey({ projectId, agentType, capabilities, assignedAgent }: RouteKey): string {
  return JSON.stringify([projectId, agentType, [...new Set(capabilities)].toSorted(), assignedAgent ?? '']);
}
