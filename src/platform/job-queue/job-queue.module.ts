import { Global, Module, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { AppConfig } from '../../../config/app-config.js';
import { DatabaseConnection } from '../database/database-connection.js';
import { BullmqJobQueue } from './job-queue.bullmq.js';
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
      inject: [DatabaseConnection],
      useFactory: (connection: DatabaseConnection) => new BullmqJobQueue(connection.direct('jobs', OPTIONS)),
    },
  ],
  exports: [JobQueue],
})
export class JobQueueModule implements OnApplicationBootstrap, OnModuleDestroy {
  private opening: NodeJS.Timeout | undefined;

  constructor(
    private readonly queue: JobQueue,
    private readonly config: AppConfig,
  ) {}

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
