import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppConfig } from '../../../config/app-config.js';
import { Database } from '../../platform/database/database.js';
import { LOCK_LOG } from '../../platform/database/log-writer.js';
import { Maintenance, type RunStatement } from '../../platform/database/maintenance.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import { type LogState, type Partition, planUpkeep, type Upkeep } from '../domain/log-upkeep.js';
import { LEFT_OVER, LOG_STATE, type LogStateRow } from '../persistence/log-upkeep-rows.js';

const SWEEP_MS = 15_000;
/** Any number, as long as all processes take the same. */
const UPKEEP_LOCK = 7_316_202_413;

/**
 * Keeps partitions ahead of the log and drops those whose time is over, one process at a time. Nothing of it hurts who
 * writes or reads: a partition is attached, and detached concurrently, under a lock that conflicts with neither, and it
 * is dropped when nobody can reach it any more. In every process: a fleet of API processes alone writes events too.
 */
@Injectable()
export class LogUpkeepSweep implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly maintenance: Maintenance,
    private readonly sweeps: Sweeps,
    private readonly config: AppConfig,
  ) {}

  onModuleInit(): void {
    this.sweeps.every(
      'log-upkeep',
      SWEEP_MS,
      async () => {
        await this.look();
        return false;
      },
      'everywhere',
    );
  }

  /** Does what is due now. */
  async look(): Promise<void> {
    const [row] = await this.database.query<LogStateRow>(LOG_STATE);
    if (row === undefined || this.plan(row).length === 0) return;
    await this.maintenance.alone(UPKEEP_LOCK, async (run) => {
      // Another process may have done it meanwhile. The row's shape is the statement's column list.
      const [now] = (await run(LOG_STATE.text)) as unknown as LogStateRow[];
      for (const step of now === undefined ? [] : this.plan(now)) await this.carryOut(step, run);
      for (const { name } of await run(LEFT_OVER)) await run(`DROP TABLE ${String(name)}`);
    });
  }

  private plan(row: LogStateRow): Upkeep[] {
    return planUpkeep(toState(row), this.config.env.EVENT_RETENTION_DAYS);
  }

  private async carryOut(step: Upkeep, run: RunStatement): Promise<void> {
    switch (step.does) {
      case 'create':
        return create(step.from, step.to, run);
      case 'cut':
        return cut(step, run);
      case 'move_start':
        await run('UPDATE log_start SET pos = greatest(pos, $1), moved_at = clock_timestamp()', [step.to]);
        return;
      case 'drop':
        return drop(step.partition, run);
    }
  }
}

/** Made beside the log and attached whole: as a PARTITION OF it would stop everybody for as long as it waits its turn. */
async function create(from: number, to: number, run: RunStatement): Promise<void> {
  const name = `events_p${from}`;
  await run(`
    BEGIN;
    CREATE TABLE ${name} (LIKE events INCLUDING ALL);
    ALTER TABLE events ATTACH PARTITION ${name} FOR VALUES FROM (${from}) TO (${to});
    COMMIT`).catch(async (error: unknown) => {
    await run('ROLLBACK');
    throw error;
  });
}

/** Under the log's lock, which every writer holds while it takes positions. */
async function cut(
  step: { readonly before: number; readonly next: number },
  run: RunStatement,
): Promise<void> {
  await run('BEGIN');
  try {
    await run(LOCK_LOG.text);
    const sql = `SELECT setval('events_pos', $2, false) FROM events_pos WHERE last_value < $1`;
    await run(sql, [step.before, step.next]);
  } finally {
    await run('COMMIT');
  }
}

async function drop({ name, detaching }: Partition, run: RunStatement): Promise<void> {
  await run(`ALTER TABLE events DETACH PARTITION ${name} ${detaching ? 'FINALIZE' : 'CONCURRENTLY'}`);
  await run(`DROP TABLE ${name}`);
}

function toState(row: LogStateRow): LogState {
  return {
    now: row.now,
    next: row.next,
    start: row.start,
    startMovedAt: row.start_moved_at,
    partitions: row.partitions.map((one) => ({
      name: one.name,
      from: one.from,
      to: one.to,
      detaching: one.detaching,
      firstAt: one.first_at,
      lastAt: one.last_at,
      lastPos: one.last_pos,
    })),
  };
}
