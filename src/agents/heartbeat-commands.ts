import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../config/app-config.js';
import type { Batch, BatchHandler, LockMode, Outcome } from '../platform/database/batch.js';
import type { Row, Statement } from '../platform/database/statement.js';
import { notFound } from '../shared/domain-error.js';
import { rowKey } from '../shared/ids.js';
import { statusChanged } from './agent-events.js';
import { moved } from './domain/agent.machine.js';
import type { AgentRow } from './domain/agent.js';
import { assertSession } from './domain/session.js';
import { lockAgents, writeLiveness, type SignOfLife } from './persistence/agent-rows.js';

/** An agent's own call: a sign of life. */
interface HeartbeatCommand {
  readonly projectId: string;
  readonly agentId: string;
  /** The session that calls, if it says so. */
  readonly sessionEpoch?: number;
  /** Shown with the agent, not believed; absent: what it said before stays. */
  readonly metrics?: Readonly<Record<string, unknown>>;
}

interface SeenAgent {
  readonly agent: AgentRow;
  /** The call of its own before this one. */
  readonly seenBefore: string;
}

/**
 * The batch's way with heartbeats: all of a batch are one UPDATE, which touches no indexed column while the agents stay
 * active (HOT). Who was suspect or offline is active again.
 */
@Injectable()
export class HeartbeatCommands implements BatchHandler<HeartbeatCommand, SeenAgent> {
  readonly name = 'heartbeats';
  readonly order = 30;

  constructor(private readonly config: AppConfig) {}

  load(commands: readonly HeartbeatCommand[], mode: LockMode): Statement[] {
    const keys = new Map(commands.map((one) => [rowKey(one.projectId, one.agentId), one]));
    const named = [...keys.values()];
    return [
      lockAgents(
        named.map((one) => one.agentId),
        named.map((one) => one.projectId),
        mode,
      ),
    ];
  }

  decide(
    commands: readonly HeartbeatCommand[],
    loaded: readonly (readonly Row[])[],
    batch: Batch,
  ): Outcome<SeenAgent>[] {
    // The rows' shape is lockAgents' column list.
    const locked = (loaded[0] ?? []) as unknown as readonly AgentRow[];
    const agents = new Map(locked.map((agent) => [rowKey(agent.project_id, agent.id), agent]));
    const signs = new Map<string, SignOfLife>();
    const outcomes = commands.map((command): Outcome<SeenAgent> => {
      const key = rowKey(command.projectId, command.agentId);
      const agent = agents.get(key);
      if (agent === undefined)
        return batch.mode === 'skip' ? { busy: true } : { refused: notFound('agent', command.agentId) };
      try {
        assertSession(agent, command.sessionEpoch);
      } catch (error) {
        return { refused: error };
      }
      const seen = this.seen(agent, batch);
      agents.set(key, seen);
      signs.set(key, { agent: seen, metrics: command.metrics ?? signs.get(key)?.metrics });
      return { done: { agent: seen, seenBefore: agent.last_seen } };
    });
    if (signs.size > 0) batch.write(writeLiveness([...signs.values()], batch.now));
    return outcomes;
  }

  private seen(agent: AgentRow, batch: Batch): AgentRow {
    const lease = new Date(Date.parse(batch.now) + this.config.leaseSeconds * 1000).toISOString();
    const seen: AgentRow = {
      ...moved(agent, 'be_seen'),
      last_seen: later(agent.last_seen, batch.now),
      lease_until: later(agent.lease_until, lease),
    };
    const change = statusChanged(agent, seen, batch.now, { sourceAgent: agent.id, correlationId: null });
    for (const event of change.events) batch.record(event);
    return change.agent;
  }
}

/** On the slow path a command may be decided later than one that came after it. */
const later = (a: string, b: string): string => (a > b ? a : b);
