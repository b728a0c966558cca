import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../config/app-config.js';
import { type Transaction, Transactor } from '../platform/database/transactor.js';
import { notFound } from '../shared/domain-error.js';
import { type AgentCredentials, renewCredentials, withdrawCredentials } from './agent-credentials.js';
import type { AgentKey } from './agent-directory.js';
import { happened, type Origin, statusChanged } from './agent-events.js';
import { type AgentCommand, moved } from './domain/agent.machine.js';
import { type Agent, type AgentProfile, standingOf } from './domain/agent.js';
import { firstProbeAt, watched } from './domain/health.js';
import { assertProfile, capacityOf, changedFields } from './domain/profile.js';
import { endSession } from './end-session.js';
import { HeldWork } from './held-work.port.js';
import { deleteAgent, LOCK_AGENT, updateAgent } from './persistence/agent-rows.js';

/** What a PATCH may say; what it leaves out stays. `status: active` ends a drain. */
type AgentEdit = Partial<AgentProfile> & { readonly status?: 'active' };

/** Changes of registered agents on request. All throw DomainError NOT_FOUND. */
@Injectable()
export class AgentsService {
  constructor(
    private readonly transactor: Transactor,
    private readonly held: HeldWork,
    private readonly config: AppConfig,
  ) {}

  async edit(key: AgentKey, { status, ...profile }: AgentEdit, origin: Origin): Promise<Agent> {
    assertProfile(profile);
    return this.transactor.run(async (tx) => {
      const before = await lock(tx, key);
      const changed = changedFields(before, profile);
      const edited: Agent = { ...before, ...profile };
      const probe = firstProbeAt(tx.now, this.config.env.HEARTBEAT_INTERVAL, Math.random());
      const agent = {
        ...edited,
        ...watched(before, edited.health_check_url, probe),
        capacity: capacityOf(edited.configuration),
      };
      return this.finish(tx, before, status === 'active' ? moved(agent, 'resume') : agent, changed, origin);
    });
  }

  /** Gives the agent no more work, until it is resumed or registers anew. What it holds it may finish. */
  drain(key: AgentKey, origin: Origin): Promise<Agent> {
    return this.command(key, 'drain', origin);
  }

  /**
   * New secrets for an agent; the old ones are void at once. Connections that were opened with them end within seconds;
   * requests may carry tokens issued with them to the tokens' end.
   */
  rotateSecret(key: AgentKey): Promise<AgentCredentials> {
    return this.transactor.run(async (tx) => renewCredentials(tx, await lock(tx, key)));
  }

  /** Removes an agent and its client; what it holds is offered again at once. */
  async remove(key: AgentKey, origin: Origin): Promise<void> {
    await this.transactor.run(async (tx) => {
      const agent = await endSession(tx, this.held, key, []);
      if (agent === undefined) throw notFound('agent', key.id);
      const fact = {
        type: 'agent.deregistered',
        status: 'offline',
        previousStatus: standingOf(agent),
      } as const;
      tx.record(happened(agent, fact, tx.now, origin).event);
      tx.write(deleteAgent(agent));
      withdrawCredentials(tx, agent);
    });
  }

  private command(key: AgentKey, command: AgentCommand, origin: Origin): Promise<Agent> {
    return this.transactor.run(async (tx) => {
      const before = await lock(tx, key);
      return this.finish(tx, before, moved(before, command), [], origin);
    });
  }

  /** Writes what changed, with its events; nothing when nothing did. */
  private finish(
    tx: Transaction,
    before: Agent,
    after: Agent,
    changed: readonly string[],
    origin: Origin,
  ): Agent {
    let agent: Agent = { ...after, updated_at: tx.now };
    if (changed.length > 0) {
      const status = standingOf(before);
      const fact = { type: 'agent.updated', status, previousStatus: status, details: { changed } } as const;
      const updated = happened(agent, fact, tx.now, origin);
      tx.record(updated.event);
      agent = updated.agent;
    }
    const statusChange = statusChanged(before, agent, tx.now, origin);
    for (const event of statusChange.events) tx.record(event);
    if (statusChange.agent.seq === before.seq) return before;
    tx.write(updateAgent(statusChange.agent));
    return statusChange.agent;
  }
}

async function lock(tx: Transaction, key: AgentKey): Promise<Agent> {
  const [agent] = await tx.query<Agent>(LOCK_AGENT, [key.id, key.projectId]);
  if (agent === undefined) throw notFound('agent', key.id);
  return agent;
}
