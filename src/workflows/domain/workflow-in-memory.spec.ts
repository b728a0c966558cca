import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { WorkflowConfiguration } from './workflow.js';
import { executionOrder, type StageNode } from './workflow.graph.js';
import { WorkflowInMemory } from './workflow-in-memory.js';

describe('any workflow, however its tasks end', () => {
  it('ends, in order, with each stage started once at most, and is settled by one look', () => {
    fc.assert(
      fc.property(courses(), ({ graph, configuration, endings, together }) => {
        const run = new WorkflowInMemory(graph, configuration);
        const order = executionOrder(run.stages).map((stage) => stage.name);
        let looks = 0;
        for (run.look(); run.status === 'running'; run.look()) {
          looks += 1;
          expect(looks).toBeLessThanOrEqual(order.length);
          expect(run.look()).toEqual([]);
          expect(run.running.length).toBeGreaterThan(0);
          expect(run.running.length).toBeLessThanOrEqual(configuration.parallel_execution ? order.length : 1);
          for (const stage of run.stages.filter(({ status }) => status === 'running')) {
            expect(stage.dependencies.map((name) => run.statuses[name])).toEqual(
              stage.dependencies.map(() => 'completed'),
            );
          }
          for (const stage of run.running.slice(0, together))
            run.end(stage, endings.get(stage) ?? 'completed');
        }
        expect(new Set(run.started).size).toBe(run.started.length);
        const inOrder = order.filter((name) => run.started.includes(name));
        expect(configuration.parallel_execution ? run.started.toSorted() : run.started).toEqual(
          configuration.parallel_execution ? inOrder.toSorted() : inOrder,
        );
        expect(run.look()).toEqual([]);
        judgeEnd(run, configuration);
      }),
      { numRuns: 500 },
    );
  });
});

describe('any workflow, whatever is done to it', () => {
  /** How an agent, or a client, ends a task. */
  const ENDS = new Map([
    ['complete', 'completed'],
    ['fail', 'failed'],
    ['cancelTask', 'cancelled'],
  ]);
  const CALLS = new Map([
    ['look', (run: WorkflowInMemory) => run.look()],
    ['pause', (run: WorkflowInMemory) => run.pause()],
    ['resume', (run: WorkflowInMemory) => run.resume()],
    ['cancel', (run: WorkflowInMemory) => run.cancel()],
    ['retry', (run: WorkflowInMemory) => run.retry()],
    ['timeOut', (run: WorkflowInMemory) => run.timeOut()],
  ]);
  const COMMANDS = ['complete', 'complete', ...ENDS.keys(), ...CALLS.keys()];

  it('keeps to its rules in 25,000 commands, and ends when its tasks do', () => {
    let refused = 0;
    fc.assert(
      fc.property(
        courses(),
        fc.array(fc.tuple(fc.constantFrom(...COMMANDS), fc.nat()), { minLength: 50, maxLength: 50 }),
        ({ graph, configuration, compensable }, commands) => {
          const run = new WorkflowInMemory(graph, configuration, compensable);
          run.look();
          for (const [command, pick] of commands) {
            const before = { status: run.status, made: run.made.length, statuses: run.statuses };
            try {
              give(run, command, pick);
            } catch (error) {
              // Anything else than a refusal is a defect.
              expect(error).toMatchObject({ code: 'INVALID_TRANSITION' });
              expect({ status: run.status, statuses: run.statuses }).toEqual({
                status: before.status,
                statuses: before.statuses,
              });
              refused += 1;
            }
            judge(run, configuration, before);
          }
          bringToAnEnd(run);
        },
      ),
      { numRuns: 500 },
    );
    expect(refused).toBeGreaterThan(1_000);
  });

  function give(run: WorkflowInMemory, command: string, pick: number): void {
    const end = ENDS.get(command);
    if (end === undefined) return void CALLS.get(command)?.(run);
    const task = run.open[pick % Math.max(run.open.length, 1)];
    if (task !== undefined) run.endTask(task, end);
    // Not every end is looked at at once.
    if (pick % 3 > 0) run.look();
  }

  function judge(
    run: WorkflowInMemory,
    { parallel_execution: parallel }: WorkflowConfiguration,
    before: { status: string; made: number },
  ): void {
    const made = run.made.slice(before.made);
    const undoing = run.open.filter((id) => id.startsWith('undo '));
    const statuses = Object.values(run.statuses);
    must(new Set(run.made).size === run.made.length, 'a stage has one task per run');
    must(parallel || run.running.length <= 1, 'one stage at a time');
    must(
      before.status !== 'paused' || run.status !== 'paused' || made.length === 0,
      'a pause starts nothing',
    );
    must(undoing.length <= (run.status === 'compensating' ? 1 : 0), 'one stage is undone at a time');
    for (const { name, status, dependencies } of run.stages) {
      if (status !== 'running' || !made.some((id) => id.startsWith(`${name}#`))) continue;
      must(
        dependencies.every((one) => run.statuses[one] === 'completed'),
        'a stage starts after its dependencies',
      );
    }
    for (const id of undoing) {
      const order = executionOrder(run.stages);
      const left = order.filter((one) => one.compensable && one.status === 'completed' && one.error === null);
      must(left.at(-1)?.compensation_task_id === id, 'the last one is undone first');
    }
    must(run.status !== 'completed' || statuses.every((one) => one === 'completed'), 'completed means all');
    if (!['completed', 'failed', 'cancelled'].includes(run.status)) return;
    must(run.open.length === 0, 'nothing runs on');
    must(!statuses.includes('running') && !statuses.includes('pending'), 'nothing is left open');
  }

  function must(holds: boolean, rule: string): void {
    if (!holds) throw new Error(rule);
  }

  function bringToAnEnd(run: WorkflowInMemory): void {
    run.look();
    if (run.status === 'paused') run.resume();
    for (let ends = 0; run.status === 'running' || run.status === 'compensating'; ends += 1) {
      must(ends < 100, 'it ends');
      for (const id of run.open) run.endTask(id, 'completed');
      run.look();
    }
  }
});

function judgeEnd(run: WorkflowInMemory, { failure_strategy: strategy }: WorkflowConfiguration): void {
  const ends = Object.values(run.statuses);
  expect(ends).not.toContain('pending');
  expect(ends).not.toContain('running');
  expect(run.status).toBe(ends.every((status) => status === 'completed') ? 'completed' : 'failed');
  if (strategy !== 'continue_on_error') return;
  for (const stage of run.stages) {
    const broken = stage.dependencies.some((name) => run.statuses[name] !== 'completed');
    expect(stage.status === 'skipped').toBe(broken);
  }
}

/** Any graph without cycles, any configuration, and how each stage's task will end. */
function courses() {
  const node = (index: number) =>
    fc.record({
      dependencies: fc.subarray([...Array(index).keys()].map((one) => `s${one}`)),
      ending: fc.constantFrom('completed', 'completed', 'completed', 'failed', 'cancelled'),
    });
  const nodes = fc
    .integer({ min: 1, max: 12 })
    .chain((size) => fc.tuple(...[...Array(size).keys()].map(node)));
  const listed = nodes
    .map((drawn) => drawn.map((one, index) => ({ name: `s${index}`, ...one })))
    .chain((drawn) => fc.shuffledSubarray(drawn, { minLength: drawn.length }));
  return fc
    .record({
      listed,
      parallel: fc.boolean(),
      strategy: fc.constantFrom(
        'stop_on_error' as const,
        'continue_on_error' as const,
        'compensate' as const,
      ),
      compensable: fc.integer({ min: 0, max: 4095 }),
      together: fc.integer({ min: 1, max: 4 }),
    })
    .map(({ listed: drawn, parallel, strategy, together, compensable }) => ({
      compensable: drawn.filter((_, index) => ((compensable >> index) & 1) === 1).map(({ name }) => name),
      graph: Object.fromEntries(drawn.map((one) => [one.name, one.dependencies])) satisfies Record<
        string,
        StageNode['dependencies']
      >,
      endings: new Map(drawn.map((one) => [one.name, one.ending])),
      configuration: { parallel_execution: parallel, failure_strategy: strategy },
      together,
    }));
}
