import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppConfig } from '../../../config/app-config.js';
import { Database } from '../../platform/database/database.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import { DROP_OLD } from '../persistence/delivery-rows.js';

const SWEEP_MS = 60_000;
const PER_LOOK = 500;

/** Drops deliveries that ended, when they are older than the retention, a few at a time. */
@Injectable()
export class DeliveryRetention implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly sweeps: Sweeps,
    private readonly config: AppConfig,
  ) {}

  onModuleInit(): void {
    this.sweeps.every('delivery-retention', SWEEP_MS, () => this.look());
  }

  /** @returns whether there may be more */
  async look(): Promise<boolean> {
    const dropped = await this.database.query(DROP_OLD, [PER_LOOK, this.config.env.EVENT_RETENTION_DAYS]);
    return dropped.length === PER_LOOK;
  }
}
