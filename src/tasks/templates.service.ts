import { Injectable } from '@nestjs/common';
import { bodyHash } from '../platform/body-hash.js';
import { Database } from '../platform/database/database.js';
import { type Transaction, Transactor } from '../platform/database/transactor.js';
import { decodeCursor, type Page, pageKeyOf, pageOf } from '../platform/http/page.js';
import { SchemaChecks, schemaText } from '../platform/json-schema/schema-checks.js';
import { newId } from '../platform/new-id.js';
import { WakeUp } from '../platform/wake-up/wake-up.port.js';
import { DomainError, notFound, validationFailed } from '../shared/domain-error.js';
import { ANY_PROJECT, rowKey } from '../shared/ids.js';
import { onlyProject } from '../shared/only-project.js';
import type { Template } from './domain/template.js';
import {
  deleteTemplate,
  deleteVersions,
  FIND_TEMPLATE,
  insertTemplate,
  insertVersion,
  listTemplates,
  LOCK_TEMPLATE,
  PROJECTS_OF_TEMPLATE,
  setNewest,
  type TemplateFilter,
  type TemplateKey,
  type TemplateRow,
} from './persistence/template-rows.js';

/** Told with `rowKey` of a template that is new, changed or gone. */
export const TEMPLATES_CHANGED = 'templates';

/** Of each template; older ones are forgotten. */
const KEPT_VERSIONS = 100;
/** Characters of a schema's, or of the defaults', JSON. */
const MAX_CHARACTERS = 65_536;

/** What a client says of a template. */
export type TemplateContent = Pick<Template, 'name' | 'agent_type' | 'input_schema' | 'defaults'>;

export interface PostedTemplate extends TemplateContent {
  readonly id?: string;
  /** The number that its versions start with; default 1. */
  readonly version?: number;
}

/** Templates as clients make, change and read them. */
@Injectable()
export class TemplatesService {
  constructor(
    private readonly database: Database,
    private readonly transactor: Transactor,
    private readonly schemas: SchemaChecks,
    private readonly wakeUp: WakeUp,
  ) {}

  /**
   * An id that the client chose is an idempotency key. A built-in template may be covered by one of the same id.
   * @throws DomainError VALIDATION_FAILED for a schema that cannot be used; CONFLICT when the id is taken by another body
   */
  async create(
    projectId: string,
    posted: PostedTemplate,
  ): Promise<{ readonly template: Template; readonly created: boolean }> {
    await this.assertUsable(projectId, posted);
    const key = { id: posted.id ?? newId(), projectId };
    const hash = bodyHash(posted);
    return this.transactor.run(async (tx) => {
      const stored = await lock(tx, key);
      if (stored !== undefined) return { template: sameBody(stored, hash), created: false };
      const version = posted.version ?? 1;
      const template = { ...rowOf(key, posted, version, tx.now), body_hash: hash };
      tx.write(insertTemplate(template));
      tx.write(insertVersion(template));
      this.tell(tx, key);
      return { template, created: true };
    });
  }

  /**
   * Makes a new version, unless it would be the same as the newest.
   * @param basedOn the version that the client has read; undefined: whatever there is
   * @throws DomainError VALIDATION_FAILED, NOT_FOUND; CONFLICT for what is built in, and when `basedOn` is not the newest
   */
  async replace(key: TemplateKey, content: TemplateContent, basedOn: number | undefined): Promise<Template> {
    await this.assertUsable(key.projectId, content);
    return this.transactor.run(async (tx) => {
      const stored = await lockOwn(tx, key);
      if (basedOn !== undefined && basedOn !== stored.version) {
        throw new DomainError(
          'CONFLICT',
          `Version ${stored.version} is the newest; read it and change that.`,
          {
            template_id: key.id,
            version: stored.version,
          },
        );
      }
      if (bodyHash(contentOf(stored)) === bodyHash(contentOf(content))) return stored;
      const version = stored.version + 1;
      const template = { ...rowOf(key, content, version, tx.now), created_at: stored.created_at };
      tx.write(insertVersion(template));
      tx.write(setNewest(template));
      tx.write(deleteVersions(key, version - KEPT_VERSIONS));
      this.tell(tx, key);
      return template;
    });
  }

  /** With all its versions. Tasks that were made by it stay as they are. @throws DomainError NOT_FOUND; CONFLICT for what is built in */
  async remove(key: TemplateKey): Promise<void> {
    await this.transactor.run(async (tx) => {
      const { version } = await lockOwn(tx, key);
      tx.write(deleteVersions(key, version));
      tx.write(deleteTemplate(key));
      this.tell(tx, key);
    });
  }

  /** @param version undefined: the newest. @throws DomainError NOT_FOUND */
  async get({ id, projectId }: TemplateKey, version: number | undefined): Promise<Template> {
    const [template] = await this.database.query<TemplateRow>(FIND_TEMPLATE, [id, projectId, version]);
    if (template === undefined) throw notFound('template', id);
    return template;
  }

  /** One page, newest first. @throws DomainError VALIDATION_FAILED for a cursor that was not made here */
  async list(filter: TemplateFilter, limit: number, cursor: string | undefined): Promise<Page<TemplateRow>> {
    const { values, ...sql } = listTemplates(filter, decodeCursor(cursor), limit + 1);
    const rows = await this.database.query<TemplateRow>(sql, values);
    return pageOf(rows, limit, pageKeyOf, (row) => row);
  }

  /**
   * Where the template is that a caller names by its id: in its project, else among what is built in. `*` finds an id in
   * any project.
   * @throws DomainError NOT_FOUND, or CONFLICT when several projects have that id
   */
  async locate(projectId: string, id: string): Promise<TemplateKey> {
    const rows = await this.database.query<{ project_id: string }>(PROJECTS_OF_TEMPLATE, [id]);
    const all = rows.map((row) => row.project_id);
    const seen =
      projectId === ANY_PROJECT ? all : all.filter((one) => one === projectId || one === ANY_PROJECT);
    const own = seen.filter((one) => one !== ANY_PROJECT);
    return { id, projectId: onlyProject('template', id, own.length === 0 ? seen : own) };
  }

  private async assertUsable(owner: string, { input_schema, defaults }: TemplateContent): Promise<void> {
    const schema = schemaText(input_schema);
    if (schema.text.length > MAX_CHARACTERS) throw tooLong('/input_schema');
    if (JSON.stringify(defaults).length > MAX_CHARACTERS) throw tooLong('/defaults');
    const problems = await this.schemas.problemsOf(schema, owner);
    if (problems.length === 0) return;
    throw validationFailed(problems.map(({ path, message }) => ({ path: `/input_schema${path}`, message })));
  }

  private tell(tx: Transaction, { id, projectId }: TemplateKey): void {
    tx.afterCommit(() => this.wakeUp.notify(TEMPLATES_CHANGED, rowKey(projectId, id)));
  }
}

async function lock(tx: Transaction, { id, projectId }: TemplateKey): Promise<TemplateRow | undefined> {
  await tx.query(LOCK_TEMPLATE, [id, projectId]);
  const [stored] = await tx.query<TemplateRow>(FIND_TEMPLATE, [id, projectId, null]);
  return stored;
}

/** @throws DomainError NOT_FOUND; CONFLICT for what is built in */
async function lockOwn(tx: Transaction, key: TemplateKey): Promise<TemplateRow> {
  if (key.projectId === ANY_PROJECT) {
    const way = 'POST one of this id to your project: it takes its place there.';
    throw new DomainError('CONFLICT', `Template '${key.id}' is built in and stays as it is. ${way}`, {
      template_id: key.id,
    });
  }
  const stored = await lock(tx, key);
  if (stored === undefined) throw notFound('template', key.id);
  return stored;
}

function sameBody(stored: TemplateRow, hash: string): TemplateRow {
  if (stored.body_hash === hash) return stored;
  throw new DomainError('CONFLICT', `Template '${stored.id}' exists with another body; change it with PUT.`, {
    template_id: stored.id,
  });
}

function contentOf({ name, agent_type, input_schema, defaults }: TemplateContent): TemplateContent {
  return { name, agent_type, input_schema, defaults };
}

function rowOf(key: TemplateKey, content: TemplateContent, version: number, now: string): Template {
  return {
    id: key.id,
    project_id: key.projectId,
    version,
    ...contentOf(content),
    created_at: now,
    updated_at: now,
  };
}

function tooLong(path: string): DomainError {
  return validationFailed([{ path, message: `must not be longer than ${MAX_CHARACTERS} characters` }]);
}
