import type { Sql, Statement } from '../../platform/database/statement.js';
import { type PageKey, partsOf } from '../../platform/http/page.js';
import { ANY_PROJECT } from '../../shared/ids.js';
import type { Template } from '../domain/template.js';

/** Where a template is: ids are unique per project; project `*` holds what is built in. */
export interface TemplateKey {
  readonly id: string;
  readonly projectId: string;
}

/** A template as its rows hold it. */
export interface TemplateRow extends Template {
  /** Of what was first posted. */
  readonly body_hash: string;
}

const COLUMNS = `t.id, t.project_id, v.name, v.version, v.agent_type, v.input_schema, v.defaults, t.created_at,
  v.created_at AS updated_at, t.body_hash`;

const WITH_NEWEST = `templates t JOIN template_versions v
  ON v.id = t.id AND v.project_id = t.project_id AND v.version = t.version`;

/** Until the transaction ends nobody else changes it. What it holds is for the next statement to read, after the wait. */
export const LOCK_TEMPLATE: Sql = {
  name: 'template-lock',
  text: 'SELECT t.id FROM templates t WHERE t.id = $1 AND t.project_id = $2 FOR UPDATE',
};

/** $3 null: the newest version. Rows: TemplateRow. */
export const FIND_TEMPLATE: Sql = {
  name: 'template-find',
  text: `
    SELECT ${COLUMNS} FROM templates t JOIN template_versions v
      ON v.id = t.id AND v.project_id = t.project_id AND v.version = coalesce($3::int, t.version)
    WHERE t.id = $1 AND t.project_id = $2`,
};

/** Projects that have a template of this id, `*` among them. */
export const PROJECTS_OF_TEMPLATE: Sql = {
  name: 'template-projects',
  text: 'SELECT t.project_id FROM templates t WHERE t.id = $1 ORDER BY t.project_id LIMIT 100',
};

/**
 * What tasks of project $3 mean by templates $1 of versions $2 (null: the newest): the project's own, else what is built
 * in. A template that there is not, or not of that version, is left out. Rows: WantedRow.
 */
export const WANTED_TEMPLATES: Sql = {
  name: 'templates-wanted',
  text: `
    SELECT w.id, w.version AS wanted, v.version, v.input_schema, v.defaults
    FROM unnest($1::text[], $2::int[]) AS w(id, version)
    CROSS JOIN LATERAL (
      SELECT t.* FROM templates t WHERE t.id = w.id AND t.project_id IN ($3, '${ANY_PROJECT}')
      ORDER BY t.project_id = '${ANY_PROJECT}' LIMIT 1) AS t
    JOIN template_versions v
      ON v.id = t.id AND v.project_id = t.project_id AND v.version = coalesce(w.version, t.version)`,
};

export interface WantedRow extends Pick<Template, 'id' | 'version' | 'input_schema' | 'defaults'> {
  readonly wanted: number | null;
}

const list = (projects: string): string => `
  SELECT ${COLUMNS} FROM ${WITH_NEWEST}
  WHERE ${projects}
    AND ($2::text IS NULL OR v.agent_type = $2)
    AND ($3::timestamptz IS NULL OR t.created_at > $3)
    AND ($4::timestamptz IS NULL OR t.created_at < $4)
    AND ($5::timestamptz IS NULL OR (t.created_at, t.id, t.project_id) < ($5, $6::text, $7::text))
  ORDER BY t.created_at DESC, t.id DESC, t.project_id DESC
  LIMIT $8`;

/** A project sees its own templates, and of those that are built in the ones whose place it has not taken. */
const OF_PROJECT = {
  name: 'templates-list',
  text: list(`t.project_id IN ($1, '${ANY_PROJECT}') AND (t.project_id = $1
    OR NOT EXISTS (SELECT FROM templates o WHERE o.id = t.id AND o.project_id = $1))`),
};
const OF_ALL = { name: 'templates-list-all', text: list(`$1::text = '${ANY_PROJECT}'`) };

/** Which templates a list shows; what is left out does not filter. */
export interface TemplateFilter {
  /** `*`: of every project. */
  readonly projectId: string;
  readonly agentType?: string;
  readonly createdAfter?: string;
  readonly createdBefore?: string;
}

/** Templates, newest first, from behind `after`. Rows: TemplateRow. */
export function listTemplates(filter: TemplateFilter, after: PageKey | undefined, limit: number): Statement {
  const behind = after && partsOf(after);
  return {
    ...(filter.projectId === ANY_PROJECT ? OF_ALL : OF_PROJECT),
    values: [
      filter.projectId,
      filter.agentType,
      filter.createdAfter,
      filter.createdBefore,
      after?.createdAt,
      behind?.id,
      behind?.project,
      limit,
    ],
  };
}

export function insertTemplate({ id, project_id, version, body_hash, created_at }: TemplateRow): Statement {
  return {
    name: 'template-insert',
    text: `INSERT INTO templates (id, project_id, version, body_hash, created_at) VALUES ($1, $2, $3, $4, $5)`,
    values: [id, project_id, version, body_hash, created_at],
  };
}

export function insertVersion(template: Template): Statement {
  const { id, project_id, version, name, agent_type, input_schema, defaults, updated_at } = template;
  return {
    name: 'template-version-insert',
    text: `
      INSERT INTO template_versions (id, project_id, version, name, agent_type, input_schema, defaults, created_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    values: [
      id,
      project_id,
      version,
      name,
      agent_type,
      JSON.stringify(input_schema),
      JSON.stringify(defaults),
      updated_at,
    ],
  };
}

export function setNewest({ id, project_id, version }: Template): Statement {
  return {
    name: 'template-set-newest',
    text: 'UPDATE templates SET version = $3 WHERE id = $1 AND project_id = $2',
    values: [id, project_id, version],
  };
}

/** Versions up to `version` are forgotten. */
export function deleteVersions({ id, projectId }: TemplateKey, version: number): Statement {
  return {
    name: 'template-versions-delete',
    text: 'DELETE FROM template_versions WHERE id = $1 AND project_id = $2 AND version <= $3',
    values: [id, projectId, version],
  };
}

export function deleteTemplate({ id, projectId }: TemplateKey): Statement {
  return {
    name: 'template-delete',
    text: 'DELETE FROM templates WHERE id = $1 AND project_id = $2',
    values: [id, projectId],
  };
}
