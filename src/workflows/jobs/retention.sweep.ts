import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppConfig } from '../../../config/app-config.js';
import { AgeWalk } from '../../platform/database/age-walk.js';
import { Transactor } from '../../platform/database/transactor.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import { WorkflowTasks } from '../../tasks/index.js';

/** Small transactions, and a pause as long as many of them take: nobody is to notice, and several hundred go a second. */
const SWEEP_MS = 250;
const LOOKS = 20;
const PER_LOOK = 10;
/** What is too much for one transaction is met again on the next walk. */
const TASKS_PER_LOOK = 5_000;

/** Locked, so that none of them is retried while it goes. */
const OVER = {
  name: 'workflows-over',
  text: `
    SELECT w.id FROM workflows w
    WHERE w.project_id = $1 AND w.id = ANY($2::text[]) AND w.status IN ('completed', 'failed', 'cancelled')
      AND w.ended_at < clock_timestamp() - make_interval(days => $3)
    ORDER BY w.id FOR UPDATE SKIP LOCKED`,
};

const DROP = {
  name: 'workflows-drop',
  text: `
    WITH stages AS (
      DELETE FROM workflow_stages s WHERE s.project_id = $1 AND s.workflow_id = ANY($2::text[]))
    DELETE FROM workflows w WHERE w.project_id = $1 AND w.id = ANY($2::text[])`,
};

/**
 * Drops workflows that ended longer ago than the retention, each with its stages and all its tasks. One that has a task
 * which goes on, or that an unfinished one depends on, stays.
 */
@Injectable()
export class WorkflowRetention implements OnModuleInit {
  private readonly walk = new AgeWalk('workflows');

  constructor(
    private readonly transactor: Transactor,
    private readonly tasks: WorkflowTasks,
    private readonly sweeps: Sweeps,
    private readonly config: AppConfig,
  ) {}

  onModuleInit(): void {
    this.sweeps.every('workflow-retention', SWEEP_MS, async () => {
      for (let looks = 0; looks < LOOKS && !this.walk.rests; looks += 1) await this.look();
      return false;
    });
  }

  /** @returns false when there is nothing old any more */
  look(): Promise<boolean> {
    const days = this.config.env.EVENT_RETENTION_DAYS;
    return this.transactor.run(async (tx) => {
      const old = await this.walk.next(tx, days, PER_LOOK);
      if (old === undefined) return false;
      const { projectId } = old;
      const over = await tx.query<{ id: string }>(OVER, [projectId, old.ids, days]);
      const workflowIds = over.map(({ id }) => id);
      if (workflowIds.length === 0) return true;
      const empty = await this.tasks.drop(tx, { projectId, workflowIds, days, limit: TASKS_PER_LOOK });
      tx.write({ ...DROP, values: [projectId, empty] });
      return true;
    });
  }
}
