import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DomainError } from '../../shared/domain-error.js';
import { assertRunnable, executionOrder, type StageNode } from './workflow.graph.js';

/** Stages from `name: its dependencies`, in the order given. */
function stages(graph: Record<string, readonly string[]>): StageNode[] {
  return Object.entries(graph).map(([name, dependencies]) => ({ name, dependencies }));
}

function refusal(nodes: readonly StageNode[]): DomainError {
  try {
    assertRunnable(nodes);
  } catch (error) {
    if (error instanceof DomainError) return error;
  }
  throw new Error('it was not refused');
}

const names = (nodes: readonly StageNode[]): string[] => nodes.map((node) => node.name);

describe('the execution order', () => {
  it('is the listed order where nothing depends on anything', () => {
    expect(names(executionOrder(stages({ c: [], a: [], b: [] })))).toEqual(['c', 'a', 'b']);
  });

  it('puts dependencies first and keeps to the list otherwise', () => {
    const graph = stages({ deploy: ['test', 'docs'], test: ['build'], docs: [], build: [] });
    expect(names(executionOrder(graph))).toEqual(['docs', 'build', 'test', 'deploy']);
  });

  it('counts a dependency once that is named twice', () => {
    expect(names(executionOrder(stages({ b: ['a', 'a'], a: [] })))).toEqual(['a', 'b']);
  });

  it('of any graph without cycles holds every stage once, behind its dependencies', () => {
    fc.assert(
      fc.property(dags(), (graph) => {
        const order = names(executionOrder(graph));
        expect(order.toSorted()).toEqual(names(graph).toSorted());
        for (const { name, dependencies } of graph) {
          for (const dependency of dependencies) {
            expect(order.indexOf(dependency)).toBeLessThan(order.indexOf(name));
          }
        }
      }),
    );
  });
});

describe('a graph is refused', () => {
  it.each([
    ['without stages', 0],
    ['with 501 stages', 501],
  ])('%s', (_, count) => {
    const nodes = Array.from({ length: count }, (_none, index) => ({ name: `s${index}`, dependencies: [] }));
    expect(refusal(nodes).details).toEqual({
      errors: [{ path: '/stages', message: 'must have 1 to 500 items' }],
    });
  });

  it('that names a stage twice, or a dependency that is no stage: each with its place', () => {
    const nodes = [
      { name: 'a', dependencies: [] },
      { name: 'b', dependencies: ['a', 'x'] },
      { name: 'a', dependencies: ['y'] },
    ];
    expect(refusal(nodes).details['errors']).toEqual([
      { path: '/stages/1/dependencies/1', message: "there is no stage 'x'" },
      { path: '/stages/2/name', message: "'a' is taken by an earlier stage" },
      { path: '/stages/2/dependencies/0', message: "there is no stage 'y'" },
    ]);
  });

  it('with a cycle, whose path is named', () => {
    const error = refusal(stages({ start: [], a: ['start', 'c'], b: ['a'], c: ['b'], behind: ['c'] }));
    expect(error.code).toBe('VALIDATION_FAILED');
    expect(error.details['cycle']).toEqual(['a', 'c', 'b', 'a']);
    expect(error.message).toContain('a -> c -> b -> a');
  });

  it('with a stage that depends on itself', () => {
    expect(refusal(stages({ a: ['a'] })).details['cycle']).toEqual(['a', 'a']);
  });

  it('with a cycle, even if it is found from behind', () => {
    expect(refusal(stages({ behind: ['a'], a: ['b'], b: ['a'] })).details['cycle']).toEqual(['a', 'b', 'a']);
  });

  it('exactly when it has a cycle', () => {
    fc.assert(
      fc.property(dags(), fc.nat(), fc.nat(), (graph, from, to) => {
        expect(() => assertRunnable(graph)).not.toThrow();
        const order = executionOrder(graph);
        const late = order[Math.max(from % order.length, to % order.length)];
        const early = order[Math.min(from % order.length, to % order.length)];
        if (late === undefined || early === undefined) throw new Error('an empty graph');
        // `late` needs `early`; now `early` needs `late` too.
        const closed = graph.map((node) => {
          if (node.name === early.name) return { ...node, dependencies: [...node.dependencies, late.name] };
          return node.name === late.name
            ? { ...node, dependencies: [...node.dependencies, early.name] }
            : node;
        });
        const cycle = refusal(closed).details['cycle'] as string[];
        const needs = new Map(closed.map(({ name, dependencies }) => [name, dependencies]));
        expect(cycle[0]).toBe(cycle.at(-1));
        for (const [place, name] of cycle.slice(1).entries())
          expect(needs.get(cycle[place] ?? '')).toContain(name);
      }),
    );
  });

  it('of 500 stages in no time', () => {
    const chain = Array.from({ length: 500 }, (_, index) => ({
      name: `s${index}`,
      dependencies: Array.from({ length: 499 - index }, (_none, step) => `s${index + step + 1}`),
    }));
    expect(executionOrder(chain)[0]?.name).toBe('s499');
    expect(() => assertRunnable(chain)).not.toThrow();
  });
});

/** Graphs without cycles of 1 to 12 stages, listed in any order. */
function dags(): fc.Arbitrary<StageNode[]> {
  const size = fc.integer({ min: 1, max: 12 });
  return size
    .chain((count) =>
      fc.tuple(...Array.from({ length: count }, (_, index) => fc.subarray([...Array(index).keys()]))),
    )
    .map((edges) =>
      edges.map((from, index) => ({
        name: `s${index}`,
        dependencies: from.map((dependency) => `s${dependency}`),
      })),
    )
    .chain((nodes) => fc.shuffledSubarray(nodes, { minLength: nodes.length }));
}
