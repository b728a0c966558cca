import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Database } from '../platform/database/database.js';
import { type SchemaText, schemaText } from '../platform/json-schema/schema-checks.js';
import { WakeUp } from '../platform/wake-up/wake-up.port.js';
import { rowKey } from '../shared/ids.js';
import type { TemplateUse } from './domain/template.js';
import { WANTED_TEMPLATES, type WantedRow } from './persistence/template-rows.js';
import { TEMPLATES_CHANGED } from './templates.service.js';

/** What of a template its tasks need. */
export interface KnownTemplate {
  readonly version: number;
  readonly schema: SchemaText;
  readonly defaults: unknown;
}

type Wanted = Pick<TemplateUse, 'templateId' | 'version'>;

interface Entry {
  readonly template: Promise<KnownTemplate | undefined>;
  readonly looksAgainAt: number;
}

/** A hint that was lost is made up for after so long. */
const FRESH_MS = 5_000;
/** A template is at most 128 KiB. */
const MAX_ENTRIES = 300;

/** The templates that tasks use, kept so that creating a task reads none; a wake-up says which of them changed. */
@Injectable()
export class KnownTemplates implements OnModuleInit {
  /** Least recently read first. */
  private readonly entries = new Map<string, Entry>();

  constructor(
    private readonly database: Database,
    private readonly wakeUp: WakeUp,
  ) {}

  onModuleInit(): void {
    this.wakeUp.on(TEMPLATES_CHANGED, (keys) => this.forget(keys));
  }

  /** What tasks of a project mean by these; undefined for one that there is not. What is not known yet is read at once. */
  async find(projectId: string, uses: readonly Wanted[]): Promise<(KnownTemplate | undefined)[]> {
    const now = performance.now();
    const missing = new Map<string, Wanted>();
    for (const use of uses) {
      const key = entryKey(projectId, use);
      const entry = this.entries.get(key);
      if (entry === undefined || entry.looksAgainAt <= now) missing.set(key, use);
    }
    if (missing.size > 0) this.load(projectId, missing, now + FRESH_MS);
    const found = uses.map(async (use) => this.entries.get(entryKey(projectId, use))?.template);
    this.trim();
    return Promise.all(found);
  }

  /** Entries are made before the rows are read: a hint that comes meanwhile takes them away again. */
  private load(projectId: string, missing: ReadonlyMap<string, Wanted>, looksAgainAt: number): void {
    const reading = this.read(projectId, [...missing.values()]);
    for (const key of missing.keys()) {
      const entry = { template: reading.then((rows) => rows.get(key)), looksAgainAt };
      this.entries.delete(key);
      this.entries.set(key, entry);
      // What there is not is looked for each time: it may be made at any moment.
      const forget = (): void => void (this.entries.get(key) === entry && this.entries.delete(key));
      entry.template.then((template) => template === undefined && forget(), forget);
    }
  }

  private async read(projectId: string, uses: readonly Wanted[]): Promise<Map<string, KnownTemplate>> {
    const rows = await this.database.query<WantedRow>(WANTED_TEMPLATES, [
      uses.map((use) => use.templateId),
      uses.map((use) => use.version),
      projectId,
    ]);
    return new Map(
      rows.map(({ id, wanted, version, input_schema, defaults }) => [
        entryKey(projectId, { templateId: id, version: wanted }),
        { version, schema: schemaText(input_schema), defaults },
      ]),
    );
  }

  private forget(keys: ReadonlySet<string>): void {
    if (keys.size === 0) this.entries.clear();
    for (const entry of this.entries.keys()) {
      if (keys.has(entry.slice(0, entry.lastIndexOf(' ')))) this.entries.delete(entry);
    }
  }

  private trim(): void {
    for (const key of this.entries.keys()) {
      if (this.entries.size <= MAX_ENTRIES) return;
      this.entries.delete(key);
    }
  }
}

/** Ids hold no space; what a client wrote as one may. */
function entryKey(projectId: string, { templateId, version }: Wanted): string {
  return `${rowKey(projectId, templateId)} ${version ?? ''}`;
}
