import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Transactor } from '../../platform/database/transactor.js';
import { JobQueue } from '../../platform/job-queue/job-queue.port.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import type { Task } from '../domain/task.js';
import { drawTurns } from '../persistence/fairness-rows.js';
import { TaskReactions } from '../task-reactions.js';

const QUEUE = 'task-wake';
const SWEEP_MS = 1_000;
const PER_LOOK = 500;

/** No event: a task that waits for its moment has been queued all the time. */
const PROMOTE = {
  name: 'promotion-sweep',
  text: `
    WITH n AS (
      SELECT t.id, t.project_id, t.route, t.rank, t.fairness_key, t.vtime, t.created_at, t.paused FROM tasks t
      WHERE t.status = 'queued' AND NOT t.claimable AND t.available_at <= (SELECT clock_timestamp())
      ORDER BY t.available_at LIMIT $1 FOR UPDATE SKIP LOCKED
    ), ${drawTurns('NOT n.paused')}
    UPDATE tasks t SET claimable = NOT t.paused, available_at = NULL, vtime = coalesce(turns.vtime, t.vtime),
      updated_at = date_trunc('milliseconds', clock_timestamp())
    FROM n LEFT JOIN turns USING (id, project_id)
    WHERE t.id = n.id AND t.project_id = n.project_id
    RETURNING t.*`,
};

/**
 * Makes tasks claimable when their moment has come: after a backoff, or at `not_before`. A job wakes it at the due
 * second; without jobs the sweep finds the same a second later. The truth is `tasks.available_at`.
 */
@Injectable()
export class PromotionSweep implements OnModuleInit {
  constructor(
    private readonly transactor: Transactor,
    private readonly jobs: JobQueue,
    private readonly reactions: TaskReactions,
    private readonly sweeps: Sweeps,
  ) {}

  onModuleInit(): void {
    this.reactions.on('delayed', (tasks, moment) => {
      if (moment !== 'soon') this.arrange(tasks);
    });
    this.jobs.process(QUEUE, async () => {
      while (await this.look());
    });
    this.sweeps.every('promotion', SWEEP_MS, () => this.look());
  }

  /** One job per project, type and second, however many tasks wait for it. */
  private arrange(tasks: readonly Task[]): void {
    const jobs = new Map<string, Date>();
    for (const task of tasks) {
      const due = Math.ceil(Date.parse(task.available_at ?? task.updated_at) / 1000);
      jobs.set(`${task.project_id}_${task.type}_${due}`, new Date(due * 1000));
    }
    for (const [id, dueAt] of jobs) void this.jobs.add(QUEUE, { id, data: { id }, dueAt });
  }

  private look(): Promise<boolean> {
    return this.transactor.run(async (tx) => {
      const tasks = await tx.query<Task>(PROMOTE, [PER_LOOK]);
      this.reactions.follow(tx, tasks, () => undefined);
      return tasks.length === PER_LOOK;
    });
  }
}
