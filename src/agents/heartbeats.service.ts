import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../config/app-config.js';
import { Batcher } from '../platform/database/batcher.js';
import { JointRead } from '../platform/database/joint-read.js';
import { rowKey } from '../shared/ids.js';
import type { AgentKey } from './agent-directory.js';
import { type AgentRow, agentStatus, type AgentStatus } from './domain/agent.js';
import { HeartbeatCommands } from './heartbeat-commands.js';
import { HeldCounts } from './held-counts.js';
import { HeldWork, type Watch } from './held-work.port.js';

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
  /** Tasks that the agent does not hold any more, named by it or not: it may stop working on them. */
  readonly revoked_tasks: readonly string[];
}

@Injectable()
export class HeartbeatsService {
  private readonly revocations: JointRead<Watch, readonly string[]>;

  constructor(
    private readonly config: AppConfig,
    private readonly batcher: Batcher,
    private readonly commands: HeartbeatCommands,
    private readonly counts: HeldCounts,
    private readonly held: HeldWork,
  ) {
    this.revocations = new JointRead(
      ({ projectId, id }) => rowKey(projectId, id),
      (agents) => held.revoked(agents),
    );
  }

  /**
   * Prolongs an agent's lease, and with it those of what it has started; who was suspect or offline is active again.
   * @throws DomainError NOT_FOUND · STALE_SESSION when another session has begun
   */
  async beat(
    key: AgentKey,
    { performance_metrics: metrics, session_epoch: sessionEpoch, task_ids: taskIds = [] }: Heartbeat,
  ): Promise<HeartbeatAnswer> {
    const command = { projectId: key.projectId, agentId: key.id, sessionEpoch, metrics };
    const { agent, seenBefore } = await this.batcher.submit(this.commands, command);
    const renewed =
      taskIds.length === 0 ? [] : this.held.renew(key.projectId, key.id, agent.session_epoch, taskIds);
    const [held, gone, revoked] = await Promise.all([
      this.counts.of(agent),
      renewed,
      this.revocations.get(this.watch(agent, seenBefore)),
    ]);
    return {
      agent_id: agent.id,
      status: agentStatus(agent, held),
      session_epoch: agent.session_epoch,
      lease_expires_at: agent.lease_until,
      next_heartbeat_in: this.config.env.HEARTBEAT_INTERVAL,
      revoked_tasks: [...new Set([...gone, ...(revoked ?? [])])],
    };
  }

  /** A lease further back than its call before this one: the answer to that may not have arrived. */
  private watch({ id, project_id: projectId, session_began_at: began }: AgentRow, seenBefore: string): Watch {
    const back = new Date(Date.parse(seenBefore) - this.config.leaseSeconds * 1000).toISOString();
    return { id, projectId, since: back > began ? back : began };
  }
}
