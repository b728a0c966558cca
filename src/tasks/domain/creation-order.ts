import { validationFailed } from '../../shared/domain-error.js';

interface Named {
  readonly id: string;
  readonly dependencies?: readonly string[];
}

/**
 * Tasks that are created together, each behind those of them that it depends on, else as they were listed.
 * @returns their indexes in that order
 * @throws DomainError VALIDATION_FAILED when they depend on each other in a circle
 */
export function creationOrder(tasks: readonly Named[]): number[] {
  const indexes = new Map(tasks.map(({ id }, index) => [id, index]));
  const dependents = tasks.map((): number[] => []);
  const open = tasks.map(({ id, dependencies = [] }, index) => {
    const inside = dependencies.flatMap((one) => (one === id ? [] : (indexes.get(one) ?? [])));
    for (const one of inside) dependents[one]?.push(index);
    return inside.length;
  });
  const order = open.flatMap((count, index) => (count === 0 ? [index] : []));
  // It grows while it is walked.
  for (const index of order) {
    for (const dependent of dependents[index] ?? []) {
      const left = (open[dependent] ?? 0) - 1;
      open[dependent] = left;
      if (left === 0) order.push(dependent);
    }
  }
  if (order.length === tasks.length) return order;
  const circle = tasks.filter((_, index) => (open[index] ?? 0) > 0).map(({ id }) => id);
  throw validationFailed([
    { path: '/tasks', message: `${circle.slice(0, 10).join(', ')} wait for each other in a circle` },
  ]);
}
