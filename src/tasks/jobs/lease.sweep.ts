import { Injectable, type OnModuleInit } from '@nestjs/common';
import { NO_OUTAGE, ServerPulse } from '../../platform/database/server-pulse.js';
import { Transactor } from '../../platform/database/transactor.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import { checkLease } from '../domain/lifecycle.js';
import type { Task } from '../domain/task.js';
import { TaskWriter } from '../task-writer.js';

const SWEEP_MS = 250;
const PER_LOOK = 500;

interface CheckedRow extends Task {
  readonly holder_lease: string | null;
  readonly holder_epoch: number | null;
}

const DUE = {
  name: 'lease-sweep',
  text: `
    SELECT t.*, a.lease_until AS holder_lease, a.session_epoch AS holder_epoch FROM tasks t
    LEFT JOIN agents a ON a.id = t.assigned_agent AND a.project_id = t.agent_project
    WHERE t.status IN ('assigned', 'in_progress') AND t.check_at <= (SELECT clock_timestamp()) AND ${NO_OUTAGE}
    ORDER BY t.check_at LIMIT $1
    FOR UPDATE OF t SKIP LOCKED`,
};

/** An outage of ours is nobody's fault: it is added to every lease and every deadline. */
const CREDIT = {
  name: 'lease-credit',
  text: `
    UPDATE tasks t SET lease_until = t.lease_until + make_interval(secs => $1::float8),
      deadline_at = t.deadline_at + make_interval(secs => $1::float8)
    WHERE t.status IN ('assigned', 'in_progress')`,
};

/**
 * Finds leases and deadlines that have passed, by the database's clock. `check_at` is a lower bound of that moment:
 * renewals leave it alone, so they stay cheap, and a task that still lives is only looked at again later.
 */
@Injectable()
export class LeaseSweep implements OnModuleInit {
  constructor(
    private readonly transactor: Transactor,
    private readonly tasks: TaskWriter,
    private readonly sweeps: Sweeps,
    private readonly pulse: ServerPulse,
  ) {}

  onModuleInit(): void {
    this.pulse.onOutage(async (tx, seconds) => {
      await tx.query(CREDIT, [seconds]);
    });
    this.sweeps.every('leases', SWEEP_MS, () => this.look());
  }

  private look(): Promise<boolean> {
    return this.transactor.run(async (tx) => {
      const rows = await tx.query<CheckedRow>(DUE, [PER_LOOK]);
      const holders = new Map(rows.map((row) => [row.id + row.project_id, row]));
      const tasks = rows.map(({ holder_lease: _lease, holder_epoch: _epoch, ...task }) => task);
      this.tasks.applyAll(tx, tasks, (task, at) => {
        const row = holders.get(task.id + task.project_id);
        const known = row !== undefined && row.holder_lease !== null && row.holder_epoch !== null;
        return checkLease(
          task,
          known ? { lease_until: row.holder_lease, session_epoch: row.holder_epoch } : null,
          at,
        );
      });
      return rows.length === PER_LOOK;
    });
  }
}
