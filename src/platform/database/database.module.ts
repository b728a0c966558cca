import { Global, Module, type OnApplicationShutdown } from '@nestjs/common';
import { Readiness } from '../health/readiness.service.js';
import { IdempotencySweep } from '../idempotency/idempotency.sweep.js';
import { Sweeps } from '../sweeps/sweeps.js';
import { Batcher } from './batcher.js';
import { Database } from './database.js';
import { LogWriter } from './log-writer.js';
import { Maintenance } from './maintenance.js';
import { ServerPulse } from './server-pulse.js';
import { Transactor } from './transactor.js';

const PING = { name: 'ping', text: 'SELECT 1' };

/** All doors to Postgres. The connection itself is given by the composition root, since Postgres outlives the application. */
@Global()
@Module({
  providers: [Database, LogWriter, Maintenance, Batcher, Transactor, Sweeps, ServerPulse, IdempotencySweep],
  exports: [Database, LogWriter, Maintenance, Batcher, Transactor, Sweeps, ServerPulse],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(
    private readonly database: Database,
    private readonly batcher: Batcher,
    private readonly transactor: Transactor,
    readiness: Readiness,
  ) {
    readiness.add('database', () => database.query(PING));
  }

  /** HTTP is closed and the sweeps have ended: what they submitted is committed, then the connections go. */
  async onApplicationShutdown(): Promise<void> {
    await this.batcher.close();
    await Promise.all([this.transactor.close(), this.database.close()]);
  }
}
