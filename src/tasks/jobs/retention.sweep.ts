import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppConfig } from '../../../config/app-config.js';
import { AgeWalk } from '../../platform/database/age-walk.js';
import { Transactor } from '../../platform/database/transactor.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import { DROP_TASKS } from '../persistence/drop-rows.js';

/** A pause between two batches is as long as many of them take: nobody is to notice. */
const SWEEP_MS = 250;
const PER_LOOK = 500;

/**
 * Drops tasks of their own that ended longer ago than the retention, with their attempts. Those of a workflow go with it.
 * A task that an unfinished one depends on stays.
 */
@Injectable()
export class TaskRetention implements OnModuleInit {
  private readonly walk = new AgeWalk('tasks');

  constructor(
    private readonly transactor: Transactor,
    private readonly sweeps: Sweeps,
    private readonly config: AppConfig,
  ) {}

  onModuleInit(): void {
    this.sweeps.every('task-retention', SWEEP_MS, async () => {
      if (!this.walk.rests) await this.look();
      return false;
    });
  }

  /** @returns false when there is nothing old any more */
  look(): Promise<boolean> {
    const days = this.config.env.EVENT_RETENTION_DAYS;
    return this.transactor.run(async (tx) => {
      const old = await this.walk.next(tx, days, PER_LOOK);
      if (old !== undefined) tx.write({ ...DROP_TASKS, values: [old.projectId, old.ids, days] });
      return old !== undefined;
    });
  }
}
