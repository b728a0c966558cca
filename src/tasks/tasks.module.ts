import { Global, Module } from '@nestjs/common';
import { HeldWork } from '../agents/index.js';
import { ClaimCommands } from './claim-commands.js';
import { ClaimsService } from './claims.service.js';
import { Dispatcher } from './dispatcher.js';
import { TasksHeldWork } from './held-work.js';
import { AgentWorkController } from './http/agent-work.controller.js';
import { TasksController } from './http/tasks.controller.js';
import { LeaseSweep } from './jobs/lease.sweep.js';
import { PromotionSweep } from './jobs/promotion.sweep.js';
import { LeaseTokens } from './lease-tokens.js';
import { TaskMessages } from './realtime/task-messages.js';
import { ReadySockets } from './realtime/ready-sockets.js';
import { ReportsService } from './reports.service.js';
import { Routes } from './routes.js';
import { Settlement } from './settlement.js';
import { TaskCommands } from './task-commands.js';
import { TaskPlanner } from './task-planner.js';
import { TaskProjects } from './task-projects.js';
import { TaskReactions } from './task-reactions.js';
import { TaskReads } from './task-reads.service.js';
import { TaskTransactions } from './task-transactions.js';
import { TaskWatch } from './task-watch.js';
import { TaskWriter } from './task-writer.js';
import { TasksService } from './tasks.service.js';

/** Global, so that agents find their HeldWork without importing what stands to their right. */
@Global()
@Module({
  controllers: [TasksController, AgentWorkController],
  providers: [
    ClaimCommands,
    ClaimsService,
    Dispatcher,
    LeaseSweep,
    LeaseTokens,
    PromotionSweep,
    ReadySockets,
    ReportsService,
    Routes,
    Settlement,
    TaskCommands,
    TaskMessages,
    TaskPlanner,
    TaskProjects,
    TaskReactions,
    TaskReads,
    TaskTransactions,
    TaskWatch,
    TaskWriter,
    TasksService,
    { provide: HeldWork, useClass: TasksHeldWork },
  ],
  exports: [HeldWork, TaskWatch, TaskWriter],
})
export class TasksModule {}
