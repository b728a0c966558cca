import { Injectable } from '@nestjs/common';
import { SchemaChecks } from '../platform/json-schema/schema-checks.js';
import { DomainError, type FieldError } from '../shared/domain-error.js';
import {
  invalidTemplate,
  isObject,
  type TemplateUse,
  templateUse,
  unknownTemplate,
  withDefaults,
} from './domain/template.js';
import { type KnownTemplate, KnownTemplates } from './known-templates.js';

/** An input as its template makes it. */
export interface TemplatedInput {
  /** Takes the place of these members of the input: the customizations with the template's defaults, if those are any. */
  readonly customized: { readonly customizations?: unknown };
  /** The version that it was checked by; null where there is no template. */
  readonly version: number | null;
  /** Why it cannot be used. It is for the caller to throw: what is stored already is answered whatever its template says now. */
  readonly refusal?: DomainError;
}

/** One input that names a template which there is. */
interface Draft {
  readonly index: number;
  readonly use: TemplateUse;
  readonly template: KnownTemplate;
  readonly customizations: unknown;
}

/** Checks the inputs of new tasks by the templates that they name. */
@Injectable()
export class TaskTemplates {
  constructor(
    private readonly templates: KnownTemplates,
    private readonly schemas: SchemaChecks,
  ) {}

  /** @param placeOf the JSON pointer of an input in the request, by its position */
  async applyAll(
    projectId: string,
    inputs: readonly unknown[],
    placeOf: (index: number) => string,
  ): Promise<TemplatedInput[]> {
    const results = inputs.map((): TemplatedInput => ({ customized: {}, version: null }));
    const uses = this.usesIn(inputs, placeOf, results);
    if (uses.length === 0) return results;
    const known = await this.templates.find(
      projectId,
      uses.map(({ use }) => use),
    );
    const drafts: Draft[] = [];
    for (const [position, { index, use }] of uses.entries()) {
      const template = known[position];
      if (template === undefined) {
        results[index] = refused(null, unknownTemplate(use, placeOf(index)));
      } else {
        const customizations = withDefaults(template.defaults, use.customizations);
        drafts.push({ index, use, template, customizations });
      }
    }
    const problems = await this.check(projectId, drafts);
    for (const [position, draft] of drafts.entries()) {
      const place = `${placeOf(draft.index)}/customizations`;
      results[draft.index] = templated(draft, problems[position] ?? [], place);
    }
    return results;
  }

  private usesIn(
    inputs: readonly unknown[],
    placeOf: (index: number) => string,
    results: TemplatedInput[],
  ): { readonly index: number; readonly use: TemplateUse }[] {
    return inputs.flatMap((input, index) => {
      try {
        const use = templateUse(input, placeOf(index));
        return use === undefined ? [] : [{ index, use }];
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        results[index] = refused(null, error);
        return [];
      }
    });
  }

  /** What is wrong with each, in their order; all of one schema go together. */
  private async check(projectId: string, drafts: readonly Draft[]): Promise<(readonly FieldError[])[]> {
    const schemas = new Map(drafts.map(({ template: { schema } }) => [schema.hash, schema]));
    const found = new Map<Draft, readonly FieldError[]>();
    for (const schema of schemas.values()) {
      const group = drafts.filter(({ template }) => template.schema.hash === schema.hash);
      const values = group.map(({ customizations }) => customizations);
      const problems = await this.schemas.check(schema, values, projectId);
      for (const [position, draft] of group.entries()) found.set(draft, problems[position] ?? []);
    }
    return drafts.map((draft) => found.get(draft) ?? []);
  }
}

function templated(
  { use, template: { version }, customizations }: Draft,
  problems: readonly FieldError[],
  place: string,
): TemplatedInput {
  if (problems.length > 0) {
    const errors = problems.map(({ path, message }) => ({ path: `${place}${path}`, message }));
    return refused(version, invalidTemplate(use.templateId, version, errors));
  }
  // Where nothing was given and nothing is added, the input stays as it was sent.
  const isNothing = isObject(customizations) && Object.keys(customizations).length === 0;
  return { customized: use.customizations === undefined && isNothing ? {} : { customizations }, version };
}

function refused(version: number | null, refusal: DomainError): TemplatedInput {
  return { customized: {}, version, refusal };
}
