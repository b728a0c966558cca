import type { LockMode } from '../../platform/database/batch.js';
import type { Statement } from '../../platform/database/statement.js';
import type { Priority, RetryPolicy } from '../../tasks/index.js';
import type {
  StageStatus,
  WorkflowConfiguration,
  WorkflowError,
  WorkflowStatus,
} from '../domain/workflow.js';

/** Where a workflow is: ids are unique per project. */
export interface WorkflowKey {
  readonly id: string;
  readonly projectId: string;
}

/** A stage as it was posted. */
export interface StageDefinition {
  readonly name: string;
  readonly agent_type: string;
  readonly dependencies: readonly string[];
  /** Seconds per attempt. */
  readonly timeout?: number;
  readonly priority?: Priority;
  readonly required_capabilities?: readonly string[];
  readonly retry_policy?: Partial<RetryPolicy>;
  readonly input?: Readonly<Record<string, unknown>>;
}

/** A workflow as its row holds it; times are ISO 8601 strings of the database clock. */
export interface WorkflowRow {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly status: WorkflowStatus;
  readonly configuration: WorkflowConfiguration;
  readonly input_data: unknown;
  readonly metadata: unknown;
  readonly error: WorkflowError | null;
  readonly correlation_id: string;
  readonly body_hash: string;
  /** Counts its runs; a stage has one task per run. */
  readonly run: number;
  readonly seq: number;
  readonly created_at: string;
  readonly updated_at: string;
  readonly ended_at: string | null;
}

/** What changes of a stage while its workflow runs, beside its definition. */
export interface StageRow {
  readonly name: string;
  readonly definition: StageDefinition;
  readonly status: StageStatus;
  readonly task_id: string | null;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly error: WorkflowError | null;
}

export const LOCK_WORKFLOW = {
  name: 'workflow-lock',
  text: 'SELECT w.* FROM workflows w WHERE w.id = $1 AND w.project_id = $2 FOR UPDATE',
};

/** Without the outputs: an evaluation finds those it needs in the tasks. Under the workflow's lock. */
export const STAGES_OF_WORKFLOW = {
  name: 'workflow-stages-of',
  text: `
    SELECT s.name, s.definition, s.status, s.task_id, s.started_at, s.ended_at, s.error FROM workflow_stages s
    WHERE s.workflow_id = $1 AND s.project_id = $2 ORDER BY s.position`,
};

const LOCK_SHARED = (wait: boolean): string => `
  SELECT w.id, w.project_id, w.status, w.correlation_id FROM workflows w
  JOIN unnest($1::text[], $2::text[]) AS k(id, project_id) ON w.id = k.id AND w.project_id = k.project_id
  ORDER BY w.id, w.project_id
  FOR SHARE OF w ${wait ? '' : 'SKIP LOCKED'}`;

const LOCK_SHARED_SKIPPING = { name: 'workflows-lock-shared-skip', text: LOCK_SHARED(false) };
const LOCK_SHARED_WAITING = { name: 'workflows-lock-shared-wait', text: LOCK_SHARED(true) };

/** Locks workflows by id against ending. Rows: id, project_id, status, correlation_id. */
export function lockShared(ids: readonly string[], projectIds: readonly string[], mode: LockMode): Statement {
  return { ...(mode === 'skip' ? LOCK_SHARED_SKIPPING : LOCK_SHARED_WAITING), values: [ids, projectIds] };
}

export function insertWorkflow(workflow: WorkflowRow): Statement {
  return {
    name: 'workflow-insert',
    text: `
      INSERT INTO workflows (id, project_id, name, status, configuration, input_data, metadata, error, correlation_id,
        body_hash, run, seq, created_at, updated_at, ended_at)
      SELECT * FROM json_to_record($1::json) AS n(id text, project_id text, name text, status text, configuration jsonb,
        input_data jsonb, metadata jsonb, error jsonb, correlation_id text, body_hash text, run int, seq bigint,
        created_at timestamptz, updated_at timestamptz, ended_at timestamptz)`,
    values: [JSON.stringify(workflow)],
  };
}

/** Inserts the stages of a new workflow, in the order in which they were listed. */
export function insertStages(key: WorkflowKey, stages: readonly StageRow[]): Statement {
  return {
    name: 'workflow-stages-insert',
    text: `
      INSERT INTO workflow_stages (workflow_id, project_id, name, position, definition, status, task_id, started_at)
      SELECT $1::text, $2::text, n.name, n.position, n.definition, n.status, n.task_id, n.started_at
      FROM json_to_recordset($3::json) AS n(name text, position int, definition jsonb, status text, task_id text,
        started_at timestamptz)`,
    values: [
      key.id,
      key.projectId,
      JSON.stringify(stages.map((stage, position) => Object.assign({ position }, stage))),
    ],
  };
}

/** Writes what changes of a workflow whose row is locked. */
export function updateWorkflow(workflow: WorkflowRow): Statement {
  const {
    id,
    project_id: projectId,
    status,
    error,
    seq,
    updated_at: updatedAt,
    ended_at: endedAt,
  } = workflow;
  return {
    name: 'workflow-update',
    text: `
      UPDATE workflows SET status = $3, error = $4, seq = $5, updated_at = $6, ended_at = $7
      WHERE id = $1 AND project_id = $2`,
    values: [id, projectId, status, error === null ? null : JSON.stringify(error), seq, updatedAt, endedAt],
  };
}

/** A stage that changed, with its output if it completed. */
export interface ChangedStage extends StageRow {
  readonly output?: unknown;
}

export function updateStages(key: WorkflowKey, stages: readonly ChangedStage[]): Statement {
  return {
    name: 'workflow-stages-update',
    text: `
      UPDATE workflow_stages s SET status = n.status, task_id = n.task_id, started_at = n.started_at,
        ended_at = n.ended_at, output = coalesce(n.output, s.output), error = n.error
      FROM json_to_recordset($3::json) AS n(name text, status text, task_id text, started_at timestamptz,
        ended_at timestamptz, output jsonb, error jsonb)
      WHERE s.workflow_id = $1 AND s.project_id = $2 AND s.name = n.name`,
    values: [
      key.id,
      key.projectId,
      JSON.stringify(stages.map(({ definition: _posted, ...changing }) => changing)),
    ],
  };
}
