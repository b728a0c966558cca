import { DomainError } from '../../shared/domain-error.js';
import type { WorkflowError, WorkflowStatus } from './workflow.js';

interface Ended {
  readonly id: string;
  readonly status: WorkflowStatus;
  readonly error: WorkflowError | null;
  readonly stages: readonly { readonly name: string; readonly output: unknown }[];
}

export function hasEnded({ status }: { readonly status: WorkflowStatus }): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

/**
 * What `GET /workflows/{id}/result` gives: what each stage gave, by its name; undefined while the workflow runs.
 * @throws DomainError WORKFLOW_FAILED with the failed stages and their errors; CONFLICT for a cancelled one
 */
export function resultOf({ id, status, error, stages }: Ended): Record<string, unknown> | undefined {
  if (status === 'completed') return Object.fromEntries(stages.map(({ name, output }) => [name, output]));
  if (status === 'failed') {
    const message = `Workflow '${id}' failed: ${error?.message ?? 'a stage failed.'}`;
    throw new DomainError('WORKFLOW_FAILED', message, { workflow_id: id, ...error?.details });
  }
  if (status === 'cancelled') {
    const message = `Workflow '${id}' was cancelled; it has no result.`;
    throw new DomainError('CONFLICT', message, { workflow_id: id, status });
  }
  return undefined;
}
