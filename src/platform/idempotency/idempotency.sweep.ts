import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Database } from '../database/database.js';
import { Sweeps } from '../sweeps/sweeps.js';

const SWEEP_MS = 60_000;
const PER_LOOK = 500;
const KEPT_HOURS = 24;

const FORGET = {
  name: 'effects-forget',
  text: `
    DELETE FROM idempotency_keys k USING (
      SELECT o.id FROM idempotency_keys o WHERE o.created_at < (SELECT clock_timestamp()) - make_interval(hours => $2::int)
      ORDER BY o.created_at LIMIT $1 FOR UPDATE SKIP LOCKED) old
    WHERE k.id = old.id RETURNING 1`,
};

/** Forgets, in small batches, what requests came to that were made a day ago. */
@Injectable()
export class IdempotencySweep implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly sweeps: Sweeps,
  ) {}

  onModuleInit(): void {
    this.sweeps.every('idempotency', SWEEP_MS, () => this.look());
  }

  /** @returns whether there may be more */
  async look(): Promise<boolean> {
    const forgotten = await this.database.query(FORGET, [PER_LOOK, KEPT_HOURS]);
    return forgotten.length === PER_LOOK;
  }
}
