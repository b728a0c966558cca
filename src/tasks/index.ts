export { TasksModule } from './tasks.module.js';
export { TaskTemplates, type TemplatedInput } from './task-templates.js';
export { TaskWriter, type NewStageTask } from './task-writer.js';
export { WorkflowTasks, type EndedTask } from './workflow-tasks.js';
export { type TaskKey } from './persistence/task-rows.js';
export { ParentWorkflows, type ParentWorkflow } from './parent-workflows.port.js';
export { type Priority, type RetryPolicy, type Task, type TaskStatus } from './domain/task.js';
export { RetryPolicyDto } from './dto/create-task.dto.js';
