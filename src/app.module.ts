import { type DynamicModule, Module } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { AgentsModule } from './agents/index.js';
import { AuthModule } from './auth/index.js';
import { EventsModule } from './events/index.js';
import { DatabaseConnection } from './platform/database/database-connection.js';
import { DatabaseModule } from './platform/database/database.module.js';
import { EgressModule } from './platform/egress/egress.module.js';
import { HealthModule } from './platform/health/health.module.js';
import { JobQueueModule } from './platform/job-queue/job-queue.module.js';
import { WakeUpModule } from './platform/wake-up/wake-up.module.js';
import { TasksModule } from './tasks/index.js';
import { WorkflowsModule } from './workflows/index.js';

/** The composition root. */
@Module({})
export class AppModule {
  /** @param connection to a Postgres whose schema is up to date; it outlives the application */
  static create(config: AppConfig, connection: DatabaseConnection): DynamicModule {
    return {
      module: AppModule,
      global: true,
      imports: [
        HealthModule,
        DatabaseModule,
        WakeUpModule,
        JobQueueModule,
        EgressModule,
        AuthModule,
        EventsModule,
        AgentsModule,
        TasksModule,
        WorkflowsModule,
      ],
      providers: [
        { provide: AppConfig, useValue: config },
        { provide: DatabaseConnection, useValue: connection },
      ],
      exports: [AppConfig, DatabaseConnection],
    };
  }
}
