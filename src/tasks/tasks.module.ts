import { Global, Module } from '@nestjs/common';
import { HeldWork } from '../agents/index.js';
import { SchemaChecks } from '../platform/json-schema/schema-checks.js';
import { ClaimFloors } from './claim-floors.js';
import { ClaimCommands } from './claim-commands.js';
import { ClaimsService } from './claims.service.js';
import { Dispatcher } from './dispatcher.js';
import { Explanations } from './explanations.service.js';
import { FairRoutes } from './fair-routes.js';
import { TasksHeldWork } from './held-work.js';
import { AgentWorkController } from './http/agent-work.controller.js';
import { OperationsController } from './http/operations.controller.js';
import { TasksController } from './http/tasks.controller.js';
import { TemplatesController } from './http/templates.controller.js';
import { AgingSweep } from './jobs/aging.sweep.js';
import { LeaseSweep } from './jobs/lease.sweep.js';
import { OperationSweep } from './jobs/operation.sweep.js';
import { PromotionSweep } from './jobs/promotion.sweep.js';
import { UnservedSweep } from './jobs/unserved.sweep.js';
import { KnownTemplates } from './known-templates.js';
import { TaskRetention } from './jobs/retention.sweep.js';
import { ProjectTurns } from './project-turns.js';
import { LeaseTokens } from './lease-tokens.js';
import { TaskMessages } from './realtime/task-messages.js';
import { ReadySockets } from './realtime/ready-sockets.js';
import { ReportsService } from './reports.service.js';
import { Routes } from './routes.js';
import { Settlement } from './settlement.js';
import { TaskCommands } from './task-commands.js';
import { TaskOperations } from './task-operations.service.js';
import { TaskPlanner } from './task-planner.js';
import { TaskProjects } from './task-projects.js';
import { TaskReactions } from './task-reactions.js';
import { TaskReads } from './task-reads.service.js';
import { TaskTemplates } from './task-templates.js';
import { PausedParents } from './paused-parents.js';
import { TaskTransactions } from './task-transactions.js';
import { TaskWriter } from './task-writer.js';
import { TasksService } from './tasks.service.js';
import { TemplatesService } from './templates.service.js';
import { WorkflowTasks } from './workflow-tasks.js';

/** Global, so that agents find their HeldWork without importing what stands to their right. */
@Global()
@Module({
  controllers: [TasksController, OperationsController, AgentWorkController, TemplatesController],
  providers: [
    AgingSweep,
    ClaimCommands,
    ClaimFloors,
    ClaimsService,
    Dispatcher,
    Explanations,
    FairRoutes,
    KnownTemplates,
    LeaseSweep,
    LeaseTokens,
    OperationSweep,
    ProjectTurns,
    PromotionSweep,
    ReadySockets,
    ReportsService,
    Routes,
    SchemaChecks,
    Settlement,
    TaskCommands,
    TaskMessages,
    TaskOperations,
    TaskPlanner,
    TaskProjects,
    TaskReactions,
    TaskReads,
    TaskRetention,
    TaskTemplates,
    PausedParents,
    TaskTransactions,
    TaskWriter,
    TasksService,
    TemplatesService,
    UnservedSweep,
    WorkflowTasks,
    { provide: HeldWork, useClass: TasksHeldWork },
  ],
  exports: [HeldWork, TaskTemplates, TaskWriter, WorkflowTasks],
})
export class TasksModule {}
