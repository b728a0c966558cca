import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../config/app-config.js';
import { type AgentKey, HeldWork, type Watch } from '../agents/index.js';
import { Database } from '../platform/database/database.js';
import type { Transaction } from '../platform/database/transactor.js';
import { ANY_PROJECT, rowKey } from '../shared/ids.js';
import { loseHolder } from './domain/lifecycle.js';
import { isHeld, type Task } from './domain/task.js';
import { TaskWriter } from './task-writer.js';

const LOCK_HELD = {
  name: 'held-lock',
  text: `
    SELECT t.* FROM tasks t
    WHERE t.assigned_agent = $1 AND t.agent_project = $2 AND t.status IN ('assigned', 'in_progress')
    ORDER BY t.id, t.project_id FOR UPDATE`,
};

const KEEP = {
  name: 'held-keep',
  text: `
    UPDATE tasks t SET session_epoch = $3, lease_until = greatest(t.lease_until, $5::timestamptz + make_interval(secs => $6::int))
    WHERE t.assigned_agent = $1 AND t.agent_project = $2 AND t.status IN ('assigned', 'in_progress') AND t.id = ANY($4::text[])`,
};

const COUNT = {
  name: 'held-count',
  text: `
    SELECT t.assigned_agent AS id, t.agent_project AS project_id, count(*)::int AS held
    FROM unnest($1::text[], $2::text[]) AS k(id, project_id)
    JOIN tasks t ON t.assigned_agent = k.id AND t.agent_project = k.project_id AND t.status IN ('assigned', 'in_progress')
    GROUP BY t.assigned_agent, t.agent_project`,
};

const RENEW = {
  name: 'held-renew',
  text: `
    UPDATE tasks t SET lease_until = greatest(t.lease_until, clock_timestamp() + make_interval(secs => $5::int))
    WHERE t.assigned_agent = $1 AND t.agent_project = $2 AND t.status IN ('assigned', 'in_progress')
      AND t.session_epoch = $3 AND t.id = ANY($4::text[])
    RETURNING t.id`,
};

/**
 * Attempts are kept under the task's project: an agent that serves all may be told of a task that a project's agent of the
 * same id lost, and the other way round. Who never had it has nothing to stop.
 */
const REVOKED = {
  name: 'held-revoked',
  text: `
    SELECT w.id, w.project_id, array_agg(DISTINCT lost.task_id) AS tasks
    FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS w(id, project_id, since)
    CROSS JOIN LATERAL (
      SELECT ta.task_id FROM task_attempts ta
      WHERE ta.agent_id = w.id AND ta.ended_at > w.since AND ta.outcome IN ('cancelled', 'lease_expired', 'timed_out')
        AND (w.project_id = '${ANY_PROJECT}' OR ta.project_id = w.project_id)
        AND NOT EXISTS (
          SELECT FROM tasks t WHERE t.id = ta.task_id AND t.project_id = ta.project_id
            AND t.assigned_agent = w.id AND t.agent_project = w.project_id AND t.status IN ('assigned', 'in_progress'))
      ORDER BY ta.ended_at DESC LIMIT 1000) lost
    GROUP BY w.id, w.project_id`,
};

/** Who holds what, for the agents to the left. */
@Injectable()
export class TasksHeldWork extends HeldWork {
  constructor(
    private readonly database: Database,
    private readonly tasks: TaskWriter,
    private readonly config: AppConfig,
  ) {
    super();
  }

  async handOver(
    tx: Transaction,
    agent: { readonly id: string; readonly projectId: string; readonly sessionEpoch: number },
    keep: readonly string[],
  ): Promise<void> {
    const held = await tx.query<Task>(LOCK_HELD, [agent.id, agent.projectId]);
    const reason = `Agent '${agent.id}' began another session or left.`;
    this.tasks.applyAll(tx, held, (task, at) =>
      isHeld(task) && !keep.includes(task.id) ? loseHolder(task, reason, at) : undefined,
    );
    if (keep.length === 0) return;
    tx.write({
      ...KEEP,
      values: [agent.id, agent.projectId, agent.sessionEpoch, keep, tx.now, this.config.leaseSeconds],
    });
  }

  async counts(agents: readonly AgentKey[]): Promise<ReadonlyMap<string, number>> {
    const rows = await this.database.query<{ id: string; project_id: string; held: number }>(COUNT, [
      agents.map((agent) => agent.id),
      agents.map((agent) => agent.projectId),
    ]);
    return new Map(rows.map((row) => [rowKey(row.project_id, row.id), row.held]));
  }

  async renew(
    projectId: string,
    agentId: string,
    sessionEpoch: number,
    taskIds: readonly string[],
  ): Promise<string[]> {
    const values = [agentId, projectId, sessionEpoch, taskIds, this.config.leaseSeconds];
    const kept = new Set((await this.database.query<{ id: string }>(RENEW, values)).map((row) => row.id));
    return taskIds.filter((id) => !kept.has(id));
  }

  async revoked(agents: readonly Watch[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const rows = await this.database.query<{ id: string; project_id: string; tasks: string[] }>(REVOKED, [
      agents.map((agent) => agent.id),
      agents.map((agent) => agent.projectId),
      agents.map((agent) => agent.since),
    ]);
    return new Map(rows.map((row) => [rowKey(row.project_id, row.id), row.tasks]));
  }
}
