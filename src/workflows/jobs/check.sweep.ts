import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { Database } from '../../platform/database/database.js';
import { NO_OUTAGE, ServerPulse } from '../../platform/database/server-pulse.js';
import { Transactor } from '../../platform/database/transactor.js';
import { JobQueue } from '../../platform/job-queue/job-queue.port.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import type { WorkflowKey } from '../persistence/workflow-rows.js';
import { WorkflowEvaluation } from '../workflow-evaluation.js';
import { WorkflowSteps } from '../workflow-steps.js';

const QUEUE = 'workflow-wake';
const SWEEP_MS = 1_000;
const PER_LOOK = 50;

interface DueWorkflow extends WorkflowKey {
  readonly check_at: string;
}

const START = { check_at: '-infinity', id: '' };

/** From behind a place, so that workflows that have to be put off keep no others back. Rows: {@link DueWorkflow}. */
const DUE = {
  name: 'workflow-check-sweep',
  text: `
    SELECT w.id, w.project_id AS "projectId", w.check_at FROM workflows w
    WHERE w.check_at <= (SELECT clock_timestamp()) AND (w.check_at, w.id) > ($1::timestamptz, $2::text) AND ${NO_OUTAGE}
    ORDER BY w.check_at, w.id LIMIT $3`,
};

/** An outage of ours is nobody's fault: it is added to every deadline. */
const CREDIT = {
  name: 'workflow-credit',
  text: `
    UPDATE workflows w SET deadline_at = w.deadline_at + make_interval(secs => $1::float8),
      check_at = CASE WHEN w.check_at = w.deadline_at THEN w.check_at + make_interval(secs => $1::float8) ELSE w.check_at END
    WHERE w.check_at IS NOT NULL AND w.deadline_at IS NOT NULL`,
};

/**
 * Looks at workflows whose moment has come, by the database's clock, whatever their tasks do: the time of one is over,
 * or a look left some of its stages to start. A job wakes it at the due second; without jobs the sweep finds the same.
 */
@Injectable()
export class WorkflowCheckSweep implements OnModuleInit {
  private readonly logger = new Logger(WorkflowCheckSweep.name);
  /** Where the last look ended. */
  private place: Pick<DueWorkflow, 'check_at' | 'id'> = START;

  constructor(
    private readonly database: Database,
    private readonly transactor: Transactor,
    private readonly evaluation: WorkflowEvaluation,
    private readonly steps: WorkflowSteps,
    private readonly jobs: JobQueue,
    private readonly sweeps: Sweeps,
    private readonly pulse: ServerPulse,
  ) {}

  onModuleInit(): void {
    this.pulse.onOutage(async (tx, seconds) => {
      await tx.query(CREDIT, [seconds]);
    });
    this.steps.onCheck((key, at) => this.arrange(key, at));
    this.jobs.process(QUEUE, async () => {
      while (await this.look());
    });
    this.sweeps.every('workflow-checks', SWEEP_MS, () => this.look());
  }

  /** One job per project and second, however many workflows are due then. */
  private arrange({ id, projectId }: WorkflowKey, at: Date): void {
    if (at.getTime() <= Date.now()) return void this.evaluate({ id, projectId });
    const second = Math.ceil(at.getTime() / 1000);
    const jobId = `${projectId}_${second}`;
    void this.jobs.add(QUEUE, { id: jobId, data: { id: jobId }, dueAt: new Date(second * 1000) });
  }

  private async look(): Promise<boolean> {
    const due = await this.database.query<DueWorkflow>(DUE, [this.place.check_at, this.place.id, PER_LOOK]);
    const isMore = due.length === PER_LOOK;
    this.place = (isMore ? due.at(-1) : undefined) ?? START;
    for (const key of due) await this.evaluate(key);
    return isMore;
  }

  /** What has to be put off the sweep comes back to. */
  private async evaluate({ id, projectId }: WorkflowKey): Promise<void> {
    try {
      await this.transactor.run((tx) => this.evaluation.evaluate(tx, projectId, id));
    } catch (error) {
      this.logger.warn(`a look at workflow '${id}' is put off: ${String(error)}`);
    }
  }
}
