import type { LockMode } from '../../platform/database/batch.js';
import { isLarger } from '../../platform/database/json-size.js';
import type { Statement } from '../../platform/database/statement.js';
import {
  columns,
  IS_OVERDUE,
  STAGE_COLUMNS,
  type StageDefinition,
  type StageState,
  STATE_COLUMNS,
  type WorkflowKey,
  type WorkflowState,
} from './workflow-rows.js';

/** Stages that a workflow in a batch may have, and bytes of each value that is read of it: it shares a process with many. */
export const STAGES_IN_BATCH = 32;
const BYTES_IN_BATCH = 16 * 1024;

/** A workflow as a batch reads it. */
export interface BatchedWorkflow extends WorkflowState {
  readonly input_data: unknown;
  /** Somebody has to look at it now, whatever its tasks do; null like false. */
  readonly is_due: boolean | null;
  /** Its input is too large for a batch, and left out. */
  readonly is_large: boolean;
}

/** A stage as a batch reads it, with what it and those behind it may need to begin. */
export interface BatchedStage extends StageState {
  readonly workflow_id: string;
  readonly project_id: string;
  /** Of a stage that has not begun. */
  readonly definition: StageDefinition | null;
  /** Of a stage that completed. */
  readonly output: unknown;
  /** One of these is too large for a batch, and left out. */
  readonly is_large: boolean;
}

const LOCK = `
  SELECT ${STATE_COLUMNS}, w.check_at <= clock_timestamp() OR ${IS_OVERDUE} AS is_due, l.is_large,
    CASE WHEN NOT l.is_large THEN w.input_data END AS input_data
  FROM unnest($1::text[], $2::text[]) AS k(id, project_id)
  JOIN workflows w ON w.id = k.id AND w.project_id = k.project_id
  CROSS JOIN LATERAL (SELECT ${isLarger('w.input_data', BYTES_IN_BATCH)} AS is_large) l
  ORDER BY w.id, w.project_id FOR UPDATE OF w`;

const LOCK_SKIPPING = { name: 'workflows-lock-skip', text: `${LOCK} SKIP LOCKED` };
const LOCK_WAITING = { name: 'workflows-lock-wait', text: LOCK };

/** Locks workflows by id for a batch. Rows: {@link BatchedWorkflow}. */
export function lockWorkflows(keys: readonly WorkflowKey[], mode: LockMode): Statement {
  return { ...(mode === 'skip' ? LOCK_SKIPPING : LOCK_WAITING), values: columns(keys) };
}

/** Under the workflows' locks: one more than {@link STAGES_IN_BATCH} of each at most. Rows: {@link BatchedStage}. */
export function stagesOf(keys: readonly WorkflowKey[]): Statement {
  return {
    name: 'workflows-stages',
    text: `
      SELECT s.workflow_id, s.project_id, ${STAGE_COLUMNS}, l.is_large,
        CASE WHEN s.status = 'pending' AND NOT l.is_large THEN s.definition END AS definition,
        CASE WHEN s.status = 'completed' AND NOT l.is_large THEN s.output END AS output
      FROM unnest($1::text[], $2::text[]) AS k(id, project_id)
      CROSS JOIN LATERAL (
        SELECT one.* FROM workflow_stages one WHERE one.workflow_id = k.id AND one.project_id = k.project_id
        ORDER BY one.position LIMIT ${STAGES_IN_BATCH + 1}) s
      CROSS JOIN LATERAL (SELECT CASE s.status
        WHEN 'pending' THEN ${isLarger('s.definition', BYTES_IN_BATCH)}
        WHEN 'completed' THEN ${isLarger('s.output', BYTES_IN_BATCH)}
        ELSE false END AS is_large) l
      ORDER BY s.workflow_id, s.project_id, s.position`,
    values: columns(keys),
  };
}
