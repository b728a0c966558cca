import type { StageRow, WorkflowRow } from './workflow-rows.js';

/** A workflow with its stages, in the order in which they were listed. */
export interface WholeWorkflow extends WorkflowRow {
  readonly stages: readonly WholeStage[];
}

export interface WholeStage extends StageRow {
  readonly output: unknown;
}

/** A time inside JSON, written as the driver writes those outside of it. */
const time = (column: string): string => `to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** The stages in the same statement, so that a workflow and its stages are of one moment. */
const STAGES = `
  CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object('name', s.name, 'definition', s.definition, 'status', s.status, 'task_id', s.task_id,
      'compensation_task_id', s.compensation_task_id,
      'started_at', ${time('s.started_at')}, 'ended_at', ${time('s.ended_at')}, 'output', s.output, 'error', s.error) ORDER BY s.position) AS stages
    FROM workflow_stages s WHERE s.workflow_id = w.id AND s.project_id = w.project_id) whole`;

export const FIND_WORKFLOW = {
  name: 'workflows-find',
  text: `SELECT w.*, whole.stages FROM workflows w ${STAGES} WHERE w.id = $1 AND w.project_id = $2`,
};

/** An id over all projects, for tokens that see all. */
export const LOCATE_WORKFLOW = {
  name: 'workflows-locate',
  text: 'SELECT w.project_id FROM workflows w WHERE w.id = $1 ORDER BY w.project_id LIMIT 20',
};

/**
 * A page, newest first: $1 project (null: all), $2 status, $3 correlation id, $4/$5 created after/before, $6/$7 key of the
 * page before, $8 rows.
 */
export const LIST_WORKFLOWS = {
  name: 'workflows-list',
  text: `
    SELECT w.*, whole.stages FROM (
      SELECT p.* FROM workflows p
      WHERE ($1::text IS NULL OR p.project_id = $1) AND ($2::text IS NULL OR p.status = $2)
        AND ($3::text IS NULL OR p.correlation_id = $3)
        AND ($4::timestamptz IS NULL OR p.created_at > $4) AND ($5::timestamptz IS NULL OR p.created_at < $5)
        AND ($6::timestamptz IS NULL OR (p.created_at, p.id) < ($6, $7::text))
      ORDER BY p.created_at DESC, p.id DESC LIMIT $8) w ${STAGES}
    ORDER BY w.created_at DESC, w.id DESC`,
};
