import { DomainError, type FieldError, validationFailed } from '../../shared/domain-error.js';

/** A stage as the graph sees it. */
export interface StageNode {
  readonly name: string;
  /** Names of the stages that have to complete before it. */
  readonly dependencies: readonly string[];
}

export const MAX_STAGES = 500;

/**
 * The stages such that each comes after its dependencies, and otherwise as listed. Stages on a cycle, or behind one,
 * are left out.
 */
export function executionOrder<S extends StageNode>(stages: readonly S[]): S[] {
  const nodes = stages.map((stage, place) => ({ stage, place, unmet: new Set(stage.dependencies).size }));
  const dependents = new Map(nodes.map((node) => [node.stage.name, [] as typeof nodes]));
  for (const node of nodes) {
    for (const name of new Set(node.stage.dependencies)) dependents.get(name)?.push(node);
  }
  const ready = nodes.filter((node) => node.unmet === 0);
  const order: S[] = [];
  for (let next = ready.shift(); next !== undefined; next = ready.shift()) {
    order.push(next.stage);
    for (const dependent of dependents.get(next.stage.name) ?? []) {
      dependent.unmet -= 1;
      if (dependent.unmet === 0) ready.splice(placeIn(ready, dependent.place), 0, dependent);
    }
  }
  return order;
}

/**
 * Refuses what cannot be run to its end.
 * @throws DomainError VALIDATION_FAILED: no stages, more than 500, a name twice, a dependency that names no stage, or a
 *   cycle, whose path is in `details.cycle` (each stage needs the one named after it)
 */
export function assertRunnable(stages: readonly StageNode[]): void {
  if (stages.length === 0 || stages.length > MAX_STAGES) {
    throw validationFailed([{ path: '/stages', message: `must have 1 to ${MAX_STAGES} items` }]);
  }
  const errors = namingErrors(stages);
  if (errors.length > 0) throw validationFailed(errors);
  const ordered = new Set(executionOrder(stages));
  const cycle = cycleAmong(stages.filter((stage) => !ordered.has(stage)));
  if (cycle === undefined) return;
  const message = `the stages depend on each other in a cycle: ${cycle.join(' -> ')}`;
  throw new DomainError('VALIDATION_FAILED', `/stages: ${message}`, {
    errors: [{ path: '/stages', message }],
    cycle,
  });
}

function namingErrors(stages: readonly StageNode[]): FieldError[] {
  const names = new Set(stages.map((stage) => stage.name));
  const seen = new Set<string>();
  const errors: FieldError[] = [];
  for (const [index, { name, dependencies }] of stages.entries()) {
    if (seen.has(name))
      errors.push({ path: `/stages/${index}/name`, message: `'${name}' is taken by an earlier stage` });
    seen.add(name);
    for (const [place, dependency] of dependencies.entries()) {
      if (names.has(dependency)) continue;
      errors.push({
        path: `/stages/${index}/dependencies/${place}`,
        message: `there is no stage '${dependency}'`,
      });
    }
  }
  return errors;
}

/** One cycle, its first stage named again at its end; every given stage is on a cycle or behind one. */
function cycleAmong(stages: readonly StageNode[]): string[] | undefined {
  const needs = new Map(stages.map((stage) => [stage.name, stage.dependencies]));
  const path: string[] = [];
  let at = stages[0]?.name;
  while (at !== undefined && !path.includes(at)) {
    path.push(at);
    at = needs.get(at)?.find((dependency) => needs.has(dependency));
  }
  return at === undefined ? undefined : [...path.slice(path.indexOf(at)), at];
}

/** Where a place belongs in a list that is sorted by place. */
function placeIn(sorted: readonly { readonly place: number }[], place: number): number {
  const behind = sorted.findIndex((node) => node.place > place);
  return behind === -1 ? sorted.length : behind;
}
