import { Injectable } from '@nestjs/common';
import { Database } from '../platform/database/database.js';
import { JointRead } from '../platform/database/joint-read.js';
import { notFound } from '../shared/domain-error.js';
import { ANY_PROJECT, rowKey } from '../shared/ids.js';
import { onlyProject } from '../shared/only-project.js';
import type { AgentRow } from './domain/agent.js';
import { ROW_COLUMNS } from './persistence/agent-rows.js';

/** Where an agent is: ids are unique per project. */
export interface AgentKey {
  readonly id: string;
  readonly projectId: string;
}

const SERVING = {
  name: 'agents-serving',
  text: `SELECT k.project_id AS served_project, serving.* FROM unnest($1::text[], $2::text[]) AS k(id, project_id)
    CROSS JOIN LATERAL (
      SELECT ${ROW_COLUMNS} FROM agents a WHERE a.id = k.id AND a.project_id IN (k.project_id, '${ANY_PROJECT}')
      ORDER BY a.project_id = '${ANY_PROJECT}' LIMIT 1) serving`,
};

const EXACTLY = {
  name: 'agent-exactly',
  text: `SELECT ${ROW_COLUMNS} FROM agents a WHERE a.id = $1 AND a.project_id = $2`,
};

const PROJECTS = {
  name: 'agent-projects',
  text: 'SELECT a.project_id FROM agents a WHERE a.id = $1 ORDER BY a.project_id LIMIT 100',
};

/** Which agents there are, for those who give them work. */
@Injectable()
export class AgentDirectory {
  private readonly serving: JointRead<AgentKey, AgentRow>;

  constructor(private readonly database: Database) {
    this.serving = new JointRead(nameOf, (keys) => this.findAll(keys));
  }

  /** The agent of that id that serves a project: the project's own, else the one of `*`. */
  find(projectId: string, id: string): Promise<AgentRow | undefined> {
    return this.serving.get({ id, projectId });
  }

  /** The agent of exactly that project. @throws DomainError NOT_FOUND */
  async get({ id, projectId }: AgentKey): Promise<AgentRow> {
    const [agent] = await this.database.query<AgentRow>(EXACTLY, [id, projectId]);
    if (agent === undefined) throw notFound('agent', id);
    return agent;
  }

  /**
   * The project of an agent that a caller names by its id alone. A project sees its own agents; `*` finds an id in any.
   * @param projectId what the caller sees, `*` for everything
   * @throws DomainError NOT_FOUND, or CONFLICT when several projects have that id
   */
  async projectOf(projectId: string, id: string): Promise<string> {
    if (projectId !== ANY_PROJECT) return projectId;
    const rows = await this.database.query<{ project_id: string }>(PROJECTS, [id]);
    return onlyProject(
      'agent',
      id,
      rows.map((row) => row.project_id),
    );
  }

  private async findAll(keys: readonly AgentKey[]): Promise<ReadonlyMap<string, AgentRow>> {
    const values = [keys.map((key) => key.id), keys.map((key) => key.projectId)];
    const rows = await this.database.query<AgentRow & { served_project: string }>(SERVING, values);
    return new Map(
      rows.map(({ served_project: projectId, ...agent }) => [nameOf({ id: agent.id, projectId }), agent]),
    );
  }
}

const nameOf = ({ id, projectId }: AgentKey): string => rowKey(projectId, id);
