export { TasksModule } from './tasks.module.js';
export { TaskTemplates, type TemplatedInput } from './task-templates.js';
export { TaskWriter, type NewStageTask, type PlannedStageTask } from './task-writer.js';
export { WorkflowTasks } from './workflow-tasks.js';
export { ENDS_IN_BATCH, type EndedTask, type UnsettledTask } from './persistence/settle-rows.js';
export { type TaskKey } from './persistence/task-rows.js';
export { ParentWorkflows, type ParentWorkflow } from './parent-workflows.port.js';
export { type Priority, type RetryPolicy, type Task, type TaskStatus } from './domain/task.js';
export { RetryPolicyDto } from './dto/create-task.dto.js';
