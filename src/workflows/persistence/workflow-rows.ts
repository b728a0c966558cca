import type { LockMode } from '../../platform/database/batch.js';
import { NO_OUTAGE } from '../../platform/database/server-pulse.js';
import type { Statement } from '../../platform/database/statement.js';
import type { Priority, RetryPolicy } from '../../tasks/index.js';
import {
  BRIEF_CHARACTERS,
  type StageStatus,
  type WorkflowConfiguration,
  type WorkflowError,
  type WorkflowStatus,
} from '../domain/workflow.js';

/** Where a workflow is: ids are unique per project. */
export interface WorkflowKey {
  readonly id: string;
  readonly projectId: string;
}

/** Keys as two columns. */
export function columns(keys: readonly WorkflowKey[]): [string[], string[]] {
  return [keys.map(({ id }) => id), keys.map(({ projectId }) => projectId)];
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
  /** Type of the agents that undo it. */
  readonly compensation?: string;
  readonly input?: Readonly<Record<string, unknown>>;
  /** Of the template that `input` names: the version it was checked by. */
  readonly template_version?: number;
}

/** What decisions about a workflow need; times are ISO 8601 strings of the database clock. */
export interface WorkflowState {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly status: WorkflowStatus;
  readonly configuration: WorkflowConfiguration;
  readonly error: WorkflowError | null;
  readonly correlation_id: string;
  /** Seconds from its start, or its retry, in which it has to end; null: it may take as long as it likes. */
  readonly timeout: number | null;
  /** When that is over; a pause does not stop the clock. */
  readonly deadline_at: string | null;
  /** When somebody has to look at it, whatever its tasks do. */
  readonly check_at: string | null;
  /** Counts its runs; a stage has one task per run. */
  readonly run: number;
  readonly seq: number;
  readonly created_at: string;
  readonly updated_at: string;
  readonly ended_at: string | null;
}

/** A workflow as its row holds it. */
export interface WorkflowRow extends WorkflowState {
  readonly input_data: unknown;
  readonly metadata: unknown;
  readonly body_hash: string;
  /** Of what was posted, as JSON. */
  readonly posted_bytes: number;
}

/** What changes of a stage while its workflow runs. */
interface StageProgress {
  readonly status: StageStatus;
  readonly task_id: string | null;
  /** The task that undoes it. */
  readonly compensation_task_id: string | null;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly error: WorkflowError | null;
}

/** What decisions about a stage need: neither what it is given nor what it gave. */
export interface StageState extends StageProgress {
  readonly name: string;
  readonly dependencies: readonly string[];
  readonly compensable: boolean;
}

/** A stage as its row holds it, without its output. */
export interface StageRow extends StageProgress {
  readonly name: string;
  readonly definition: StageDefinition;
}

/** The columns of {@link WorkflowState}. */
export const STATE_COLUMNS = `w.id, w.project_id, w.name, w.status, w.configuration, w.error, w.correlation_id, w.timeout,
  w.deadline_at, w.check_at, w.run, w.seq, w.created_at, w.updated_at, w.ended_at`;

/**
 * The columns of {@link StageState}. Of errors what is told of many together; none is written back: a stage that has one
 * changes only to lose it.
 */
export const STAGE_COLUMNS = `s.name, s.definition->'dependencies' AS dependencies,
  s.definition ? 'compensation' AS compensable, s.status, s.task_id, s.compensation_task_id, s.started_at, s.ended_at,
  CASE WHEN s.error IS NOT NULL THEN jsonb_build_object('code', s.error->'code',
    'message', left(s.error->>'message', ${BRIEF_CHARACTERS})) END AS error`;

/** Its time is over, and not by an outage of ours. */
export const IS_OVERDUE = `w.status IN ('running', 'paused') AND w.deadline_at <= clock_timestamp() AND ${NO_OUTAGE}`;

/** Rows: {@link WorkflowState}, and `is_overdue`. */
export const LOCK_WORKFLOW = {
  name: 'workflow-lock',
  text: `
    SELECT ${STATE_COLUMNS}, ${IS_OVERDUE} AS is_overdue
    FROM workflows w WHERE w.id = $1 AND w.project_id = $2 FOR UPDATE`,
};

/** Under the workflow's lock. Rows: {@link StageState}. */
export const STAGES_OF_WORKFLOW = {
  name: 'workflow-stages-of',
  text: `
    SELECT ${STAGE_COLUMNS}
    FROM workflow_stages s WHERE s.workflow_id = $1 AND s.project_id = $2 ORDER BY s.position`,
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

/** Which of these workflows exist. Rows: id, project_id. */
export function existingWorkflows(keys: readonly WorkflowKey[]): Statement {
  return {
    name: 'workflows-exist',
    text: `
      SELECT w.id, w.project_id FROM unnest($1::text[], $2::text[]) AS k(id, project_id)
      JOIN workflows w ON w.id = k.id AND w.project_id = k.project_id`,
    values: columns(keys),
  };
}

/** A new workflow, with its stages in the order in which they were listed. */
export interface NewWorkflow {
  readonly row: WorkflowRow;
  readonly stages: readonly (StageState & { readonly definition: StageDefinition })[];
}

/** Inserts workflows: one statement for the workflows, one for all their stages. */
export function insertWorkflows(workflows: readonly NewWorkflow[]): Statement[] {
  if (workflows.length === 0) return [];
  const stages = workflows.flatMap(({ row, stages: ofOne }) =>
    ofOne.map((stage, position) => ({ ...stage, workflow_id: row.id, project_id: row.project_id, position })),
  );
  return [
    { ...INSERT, values: [JSON.stringify(workflows.map(({ row }) => row))] },
    { ...INSERT_STAGES, values: [JSON.stringify(stages)] },
  ];
}

const INSERT = {
  name: 'workflows-insert',
  text: `
    INSERT INTO workflows (id, project_id, name, status, configuration, input_data, metadata, error, correlation_id,
      body_hash, posted_bytes, timeout, deadline_at, check_at, run, seq, created_at, updated_at, ended_at)
    SELECT * FROM json_to_recordset($1::json) AS n(id text, project_id text, name text, status text, configuration jsonb,
      input_data jsonb, metadata jsonb, error jsonb, correlation_id text, body_hash text, posted_bytes int, timeout int,
      deadline_at timestamptz, check_at timestamptz, run int, seq bigint, created_at timestamptz,
      updated_at timestamptz, ended_at timestamptz)
    ORDER BY n.id, n.project_id`,
};

const INSERT_STAGES = {
  name: 'workflow-stages-insert',
  text: `
    INSERT INTO workflow_stages (workflow_id, project_id, name, position, definition, status, task_id, started_at,
      ended_at, error)
    SELECT * FROM json_to_recordset($1::json) AS n(workflow_id text, project_id text, name text, position int,
      definition jsonb, status text, task_id text, started_at timestamptz, ended_at timestamptz, error jsonb)`,
};

/** A stage that changed; `output` is only there when it was just given, or taken back (null). */
export interface ChangedStage extends StageState {
  readonly output?: unknown;
}

/** What of a workflow is to be written: its row, if that changed, and the stages that did. */
export interface ChangedWorkflow {
  readonly key: WorkflowKey;
  readonly row: WorkflowState | undefined;
  readonly stages: readonly ChangedStage[];
}

/** Writes what changed of workflows whose rows are locked: one statement for the workflows, one for all their stages. */
export function updateWorkflows(changed: readonly ChangedWorkflow[]): Statement[] {
  const rows = changed.flatMap(({ row }) => row ?? []);
  const stages = changed.flatMap(({ key, stages: ofOne }) =>
    ofOne.map((stage) => ({
      ...stage,
      workflow_id: key.id,
      project_id: key.projectId,
      gave: 'output' in stage,
    })),
  );
  return [
    ...(rows.length === 0 ? [] : [{ ...UPDATE, values: [JSON.stringify(rows)] }]),
    ...(stages.length === 0 ? [] : [{ ...UPDATE_STAGES, values: [JSON.stringify(stages)] }]),
  ];
}

const UPDATE = {
  name: 'workflows-update',
  text: `
    UPDATE workflows w SET status = n.status, error = n.error, deadline_at = n.deadline_at, check_at = n.check_at,
      run = n.run, seq = n.seq, updated_at = n.updated_at, ended_at = n.ended_at
    FROM json_to_recordset($1::json) AS n(id text, project_id text, status text, error jsonb, deadline_at timestamptz,
      check_at timestamptz, run int, seq bigint, updated_at timestamptz, ended_at timestamptz)
    WHERE w.id = n.id AND w.project_id = n.project_id`,
};

const UPDATE_STAGES = {
  name: 'workflow-stages-update',
  text: `
    UPDATE workflow_stages s SET status = n.status, task_id = n.task_id, compensation_task_id = n.compensation_task_id,
      started_at = n.started_at, ended_at = n.ended_at, error = n.error,
      output = CASE WHEN n.gave THEN n.output ELSE s.output END,
      output_bytes = CASE WHEN n.gave THEN coalesce(octet_length(n.output::text), 0) ELSE s.output_bytes END
    FROM json_to_recordset($1::json) AS n(workflow_id text, project_id text, name text, status text, task_id text,
      compensation_task_id text, started_at timestamptz, ended_at timestamptz, output jsonb, gave boolean, error jsonb)
    WHERE s.workflow_id = n.workflow_id AND s.project_id = n.project_id AND s.name = n.name`,
};
