import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../config/app-config.js';
import { Batcher } from '../platform/database/batcher.js';
import type { AgentKey } from './agent-directory.js';
import { agentStatus, type AgentStatus } from './domain/agent.js';
import { HeartbeatCommands } from './heartbeat-commands.js';
import { HeldCounts } from './held-counts.js';
import { HeldWork } from './held-work.port.js';

/** What an agent says of itself with a heartbeat; the rest of a heartbeat's body is not believed. */
interface Heartbeat {
  readonly performance_metrics?: Readonly<Record<string, unknown>>;
  readonly session_epoch?: number;
  /** Tasks it works on, started or not: their leases are renewed. */
  readonly task_ids?: readonly string[];
}

export interface HeartbeatAnswer {
  readonly agent_id: string;
  readonly status: AgentStatus;
  readonly session_epoch: number;
  readonly lease_expires_at: string;
  /** Seconds. */
  readonly next_heartbeat_in: number;
  /** Those of the named tasks that the agent does not hold any more: it may stop working on them. */
  readonly revoked_tasks: readonly string[];
}

@Injectable()
export class HeartbeatsService {
  constructor(
    private readonly config: AppConfig,
    private readonly batcher: Batcher,
    private readonly commands: HeartbeatCommands,
    private readonly counts: HeldCounts,
    private readonly held: HeldWork,
  ) {}

  /**
   * Prolongs an agent's lease, and with it those of what it has started; who was suspect or offline is active again.
   * @throws DomainError NOT_FOUND · STALE_SESSION when another session has begun
   */
  async beat(
    key: AgentKey,
    { performance_metrics: metrics, session_epoch: sessionEpoch, task_ids: taskIds = [] }: Heartbeat,
  ): Promise<HeartbeatAnswer> {
    const command = { projectId: key.projectId, agentId: key.id, sessionEpoch, metrics };
    const agent = await this.batcher.submit(this.commands, command);
    const renewed =
      taskIds.length === 0 ? [] : this.held.renew(key.projectId, key.id, agent.session_epoch, taskIds);
    const [held, revoked] = await Promise.all([this.counts.of(agent), renewed]);
    return {
      agent_id: agent.id,
      status: agentStatus(agent, held),
      session_epoch: agent.session_epoch,
      lease_expires_at: agent.lease_until,
      next_heartbeat_in: this.config.env.HEARTBEAT_INTERVAL,
      revoked_tasks: revoked,
    };
  }
}
