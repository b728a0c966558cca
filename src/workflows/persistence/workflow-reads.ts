import {
  boundedRows,
  eachProject,
  NEWEST_FIRST,
  PAGE_BYTES,
  rowsToRead,
} from '../../platform/database/list-rows.js';
import type { Statement } from '../../platform/database/statement.js';
import { type PageKey, partsOf } from '../../platform/http/page.js';
import type { StageRow, WorkflowRow } from './workflow-rows.js';

/** A workflow with its stages, in the order in which they were listed. */
export interface WholeWorkflow extends WorkflowRow {
  readonly stages: readonly WholeStage[];
}

export interface WholeStage extends StageRow {
  readonly output: unknown;
  /** It gave something that is too large to be shown with what the stages before it gave. */
  readonly output_omitted: boolean;
}

/** A time inside JSON, written as the driver writes those outside of it. */
const time = (column: string): string => `to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/**
 * The stages in the same statement, so that a workflow and its stages are of one moment. Outputs beyond what an answer may
 * hold are left out, and not read.
 */
const STAGES = `
  CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object('name', s.name, 'definition', s.definition, 'status', s.status, 'task_id', s.task_id,
      'compensation_task_id', s.compensation_task_id,
      'started_at', ${time('s.started_at')}, 'ended_at', ${time('s.ended_at')},
      'output', CASE WHEN NOT s.output_omitted THEN s.output END, 'output_omitted', s.output_omitted,
      'error', s.error) ORDER BY s.position) AS stages
    FROM (
      SELECT one.*, one.output IS NOT NULL AND sum(one.output_bytes) OVER (ORDER BY one.position) > ${PAGE_BYTES} AS output_omitted
      FROM workflow_stages one WHERE one.workflow_id = w.id AND one.project_id = w.project_id) s) whole`;

export const FIND_WORKFLOW = {
  name: 'workflows-find',
  text: `SELECT w.*, whole.stages FROM workflows w ${STAGES} WHERE w.id = $1 AND w.project_id = $2`,
};

/** An id over all projects, for tokens that see all. */
export const LOCATE_WORKFLOW = {
  name: 'workflows-locate',
  text: 'SELECT w.project_id FROM workflows w WHERE w.id = $1 ORDER BY w.project_id LIMIT 20',
};

/** Which workflows a list shows; what is left out does not filter. */
export interface WorkflowFilter {
  readonly status?: string;
  readonly correlation_id?: string;
  readonly created_after?: string;
  readonly created_before?: string;
}

const CONDITIONS = {
  status: 'w.status = $',
  correlation_id: 'w.correlation_id = $',
  created_after: 'w.created_at > $::timestamptz',
  created_before: 'w.created_at < $::timestamptz',
} as const satisfies Record<keyof WorkflowFilter, string>;

/** A listed workflow; `found`: how many there are up to the limit, although a page of large ones shows fewer. */
export interface ListedWorkflow extends WholeWorkflow {
  readonly found: number;
}

/**
 * Workflows, newest first, from behind `from`: at least `limit` of them, or fewer that are not too large together, one at least. One
 * text per combination of filters, so that the planner sees which index serves. Rows: {@link ListedWorkflow}.
 * @param projectId null: of all projects
 */
export function listWorkflows(
  projectId: string | null,
  filter: WorkflowFilter,
  from: PageKey | undefined,
  limit: number,
): Statement {
  const values: unknown[] = [];
  const value = (one: unknown): string => `$${values.push(one)}`;
  const names = [projectId === null ? 'all' : 'one'];
  const conditions = [`w.project_id = ${projectId === null ? 'p.project_id' : value(projectId)}`];
  const given = new Map<string, unknown>(Object.entries(filter));
  for (const [name, condition] of Object.entries(CONDITIONS)) {
    const wanted = given.get(name);
    if (wanted === undefined) continue;
    names.push(name);
    conditions.push(condition.replace('$', () => value(wanted)));
  }
  if (from !== undefined) {
    names.push('from');
    const { id, project } = partsOf(from);
    const key = `${value(from.createdAt)}::timestamptz, ${value(id)}::text`;
    conditions.push(
      projectId === null
        ? `(w.created_at, w.id, w.project_id) < (${key}, ${value(project)}::text)`
        : `(w.created_at, w.id) < (${key})`,
    );
  }
  const most = rowsToRead(limit);
  names.push(String(most));
  const rows = `SELECT w.* FROM (${sourceOf(conditions)}) w ${NEWEST_FIRST} LIMIT ${most}`;
  const page =
    projectId === null
      ? `SELECT w.* FROM (${eachProject('workflows', rows)}) w ${NEWEST_FIRST} LIMIT ${most}`
      : rows;
  return {
    // Names of prepared statements are cut at 63 characters.
    name: `workflows ${names.map((name) => name.replace(/created_|_id/, '')).join(' ')}`,
    text: bounded(page),
    values,
  };
}

/** A workflow whose correlation id is its own id, as most are, is not in the index: it is found by its key. */
function sourceOf(conditions: readonly string[]): string {
  const where = conditions.join(' AND ');
  if (!where.includes('w.correlation_id')) return `SELECT w.* FROM workflows w WHERE ${where}`;
  return `
    SELECT w.* FROM workflows w WHERE ${where} AND w.correlation_id <> w.id
    UNION ALL
    SELECT w.* FROM workflows w WHERE ${where.replace('w.correlation_id =', 'w.correlation_id = w.id AND w.id =')}`;
}

/** Those first workflows of a page that are not too large together, with their stages. */
const bounded = (page: string): string => `
  SELECT w.*, whole.stages FROM (${boundedRows(`
    SELECT w.*, w.posted_bytes + least(own.bytes, ${PAGE_BYTES}) AS bytes FROM (${page}) w CROSS JOIN LATERAL (
      SELECT coalesce(sum(s.output_bytes), 0) AS bytes
      FROM workflow_stages s WHERE s.workflow_id = w.id AND s.project_id = w.project_id) own`)}) w ${STAGES}
  ${NEWEST_FIRST}`;
