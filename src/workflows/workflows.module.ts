import { Global, Module } from '@nestjs/common';
import { ParentWorkflows, TasksModule } from '../tasks/index.js';
import { BatchedEvaluation } from './batched-evaluation.js';
import { WorkflowsController } from './http/workflows.controller.js';
import { WorkflowCheckSweep } from './jobs/check.sweep.js';
import { WorkflowRetention } from './jobs/retention.sweep.js';
import { WorkflowCreation } from './workflow-creation.js';
import { WorkflowEvaluation } from './workflow-evaluation.js';
import { WorkflowReads } from './workflow-reads.service.js';
import { WorkflowSteps } from './workflow-steps.js';
import { WorkflowsService } from './workflows.service.js';

/** Global, so that tasks find their ParentWorkflows without importing what stands to their right. */
@Global()
@Module({
  imports: [TasksModule],
  controllers: [WorkflowsController],
  providers: [
    BatchedEvaluation,
    WorkflowCheckSweep,
    WorkflowCreation,
    WorkflowEvaluation,
    WorkflowReads,
    WorkflowRetention,
    WorkflowSteps,
    WorkflowsService,
    { provide: ParentWorkflows, useExisting: WorkflowEvaluation },
  ],
  exports: [ParentWorkflows],
})
export class WorkflowsModule {}
