import { Global, Module, type OnApplicationShutdown } from '@nestjs/common';
import { AppConfig } from '../../../config/app-config.js';
import { DatabaseConnection } from '../database/database-connection.js';
import { MemoryWakeUp } from './wake-up.memory.js';
import { WakeUp } from './wake-up.port.js';
import { PostgresWakeUp } from './wake-up.postgres.js';

async function openWakeUp(config: AppConfig, connection: DatabaseConnection): Promise<WakeUp> {
  if (config.env.DATABASE_URL === undefined) return new MemoryWakeUp();
  const wakeUp = new PostgresWakeUp(connection);
  await wakeUp.open();
  return wakeUp;
}

/** With DATABASE_URL there may be several processes, and they tell each other through it. */
@Global()
@Module({
  providers: [{ provide: WakeUp, inject: [AppConfig, DatabaseConnection], useFactory: openWakeUp }],
  exports: [WakeUp],
})
export class WakeUpModule implements OnApplicationShutdown {
  constructor(private readonly wakeUp: WakeUp) {}

  async onApplicationShutdown(): Promise<void> {
    if (this.wakeUp instanceof PostgresWakeUp) await this.wakeUp.close();
  }
}
