import { Injectable } from '@nestjs/common';
import { Addressees, type Reach } from '../events/index.js';
import { rowKey } from '../shared/ids.js';
import { AgentDirectory } from './agent-directory.js';

/** Seconds after which it is worth asking again. */
const RETRY_AFTER = 60;

/** Who is there to answer, for the requests to the left. */
@Injectable()
export class RegisteredAddressees extends Addressees {
  constructor(private readonly agents: AgentDirectory) {
    super();
  }

  async reach(projectId: string, agentId: string): Promise<Reach> {
    const agent = await this.agents.find(projectId, agentId);
    if (agent !== undefined && agent.liveness !== 'offline')
      return { mailbox: rowKey(agent.project_id, agent.id) };
    const lastSeen = agent?.last_seen ?? null;
    return { absence: { agent_id: agentId, last_seen: lastSeen, retry_after: RETRY_AFTER } };
  }
}
