import { Injectable } from '@nestjs/common';
import { allows, type Caller, type NamedProject, projectForRead } from '../auth/index.js';
import { DomainError } from '../shared/domain-error.js';
import { AgentDirectory, type AgentKey } from './agent-directory.js';

/** Whose agent is it? An agent acts for itself alone, a client with `agents:write` for every agent that it sees. */
@Injectable()
export class AgentAccess {
  constructor(private readonly agents: AgentDirectory) {}

  /**
   * Where the agent is that a caller names by its id. It is looked up only where the caller sees several projects.
   * @throws DomainError CONFLICT when a `*` token names an id that several projects have · NOT_FOUND
   */
  async locate(caller: Caller, named: NamedProject, id: string): Promise<AgentKey> {
    const key = { id, projectId: projectForRead(caller, named) };
    // An agent of `*` that names itself means itself, whoever else has that id.
    if (isOwn(caller, key)) return key;
    return { id, projectId: await this.agents.projectOf(key.projectId, id) };
  }

  /**
   * The agent that a caller acts for: claims, heartbeats, changes.
   * @throws DomainError as {@link locate}, and FORBIDDEN for somebody else's agent
   */
  async actingFor(caller: Caller, named: NamedProject, id: string): Promise<AgentKey> {
    const key = await this.locate(caller, named, id);
    if (!mayActFor(caller, key)) {
      await this.agents.get(key);
      throw forbidden(id);
    }
    return key;
  }
}

/** May the caller act for an agent that it sees? */
export function mayActFor(caller: Caller, key: AgentKey): boolean {
  return isOwn(caller, key) || allows(caller.scopes, ['agents:write']);
}

export function forbidden(agentId: string): DomainError {
  return new DomainError('FORBIDDEN', `Agent '${agentId}' is somebody else's.`, { agent_id: agentId });
}

function isOwn(caller: Caller, key: AgentKey): boolean {
  return caller.agentId === key.id && caller.projectId === key.projectId;
}
