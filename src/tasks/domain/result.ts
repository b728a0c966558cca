import { DomainError } from '../../shared/domain-error.js';
import type { Task } from './task.js';

/** A task's result as `GET /tasks/{id}/result` gives it: the output, undefined while it runs, or its failure. */
export function resultOf(task: Task): { readonly output: unknown } | undefined {
  switch (task.status) {
    case 'completed':
      return { output: task.output_data };
    case 'failed': {
      const details = { task_id: task.id, error: task.error };
      if (task.error?.code === 'TASK_TIMEOUT') {
        throw new DomainError('TASK_TIMEOUT', `Task '${task.id}' ended by timeout.`, details);
      }
      throw new DomainError('TASK_FAILED', `Task '${task.id}' failed.`, details);
    }
    case 'cancelled':
      throw new DomainError('TASK_CANCELLED', `Task '${task.id}' was cancelled.`, { task_id: task.id });
    case 'blocked':
    case 'queued':
    case 'assigned':
    case 'in_progress':
      return undefined;
  }
}
