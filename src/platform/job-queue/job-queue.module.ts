import {
  Global,
  Module,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { AppConfig } from '../../../config/app-config.js';
import { DatabaseConnection } from '../database/database-connection.js';
import { BullmqJobQueue, type OpenStore } from './job-queue.bullmq.js';
import { JobQueue } from './job-queue.port.js';

/** Jobs are hints, so what BullMQ writes about them need not be on the disk when it says so. */
const OPTIONS = '-c timezone=UTC -c search_path=bullmq -c synchronous_commit=off';

/** Jobs are hints, so the start does not wait for the time that it takes to load BullMQ. */
const OPEN_AFTER_MS = 1_000;

@Global()
@Module({
  providers: [
    {
      provide: JobQueue,
      inject: [AppConfig, DatabaseConnection],
      useFactory: (config: AppConfig, connection: DatabaseConnection) =>
        new BullmqJobQueue(storeOf(config, connection)),
    },
  ],
  exports: [JobQueue],
})
export class JobQueueModule implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  private opening: NodeJS.Timeout | undefined;

  constructor(
    private readonly queue: JobQueue,
    private readonly config: AppConfig,
  ) {}

  /** @throws ConfigError when REDIS_URL names a Redis that may not be used */
  async onModuleInit(): Promise<void> {
    const { REDIS_URL: url } = this.config.env;
    if (url === undefined) return;
    const { refuseUnfitRedis } = await import('../redis/open-redis.js');
    await refuseUnfitRedis(url);
  }

  /** Every handler is known by now. */
  onApplicationBootstrap(): void {
    const { queue } = this;
    if (!(queue instanceof BullmqJobQueue)) return;
    this.opening = setTimeout(() => void queue.open(this.config.runsWork), OPEN_AFTER_MS);
  }

  async onModuleDestroy(): Promise<void> {
    clearTimeout(this.opening);
    if (this.queue instanceof BullmqJobQueue) await this.queue.close();
  }
}

/** Each store is loaded when it is opened: loading BullMQ takes an eighth of a start. */
function storeOf({ env: { REDIS_URL: url } }: AppConfig, connection: DatabaseConnection): OpenStore {
  if (url !== undefined) {
    return async () => (await import('./bullmq-redis.js')).openRedisStore(url);
  }
  const settings = connection.direct('jobs', OPTIONS);
  return async (workers) => (await import('./bullmq-postgres.js')).openPostgresStore(settings, workers);
}
