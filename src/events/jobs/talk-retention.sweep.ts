import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppConfig } from '../../../config/app-config.js';
import { Database } from '../../platform/database/database.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import { DROP_MESSAGES, DROP_REQUESTS } from '../persistence/talk-drop-rows.js';

/** Nobody is to notice, and there is no hurry: what is over is dropped at the pace at which it came, many times over. */
const SWEEP_MS = 5_000;
const PER_LOOK = 500;

/** Drops requests that ended longer ago than the retention, and messages that the log does not hold any more. */
@Injectable()
export class TalkRetention implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly sweeps: Sweeps,
    private readonly config: AppConfig,
  ) {}

  onModuleInit(): void {
    this.sweeps.every('talk-retention', SWEEP_MS, () => this.look());
  }

  /** @returns whether there may be more */
  async look(): Promise<boolean> {
    const values = [this.config.env.EVENT_RETENTION_DAYS, PER_LOOK];
    const requests = await this.database.query(DROP_REQUESTS, values);
    const messages = await this.database.query(DROP_MESSAGES, values);
    return requests.length === PER_LOOK || messages.length === PER_LOOK;
  }
}
