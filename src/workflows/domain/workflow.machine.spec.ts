import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Stage, StageTask, WorkflowConfiguration, WorkflowStatus } from './workflow.js';
import { executionOrder, type StageNode } from './workflow.graph.js';
import {
  decide,
  decideCancel,
  stageAfter,
  STAGE_TRANSITIONS,
  type StageStep,
  type Step,
  WORKFLOW_TRANSITIONS,
  workflowAfter,
} from './workflow.machine.js';

const STOP = { parallel_execution: true, failure_strategy: 'stop_on_error' } as const;
const CONTINUE = { parallel_execution: true, failure_strategy: 'continue_on_error' } as const;
const DIAMOND = { a: [], left: ['a'], right: ['a'], end: ['left', 'right'] };

/** A workflow in memory: it carries out steps as the service does, and its agents end tasks as they are told. */
class Run {
  status: WorkflowStatus = 'running';
  readonly started: string[] = [];
  readonly tasks = new Map<string, StageTask>();
  stages: Stage[];

  constructor(
    graph: Record<string, readonly string[]>,
    private readonly configuration: WorkflowConfiguration = STOP,
  ) {
    this.stages = Object.entries(graph).map(([name, dependencies]) => ({
      name,
      dependencies,
      status: 'pending',
      task_id: null,
    }));
  }

  look(): Step[] {
    return this.carryOut(decide(this.course, this.stages, [...this.tasks.values()]));
  }

  cancel(): Step[] {
    return this.carryOut(decideCancel(this.course, this.stages, [...this.tasks.values()]));
  }

  end(stage: string, status: string): this {
    const id = `task-of-${stage}`;
    const error = status === 'failed' ? { code: 'BROKEN', message: stage } : null;
    this.tasks.set(id, { id, status, error });
    return this;
  }

  get running(): string[] {
    return this.stages.filter((stage) => stage.status === 'running').map((stage) => stage.name);
  }

  get statuses(): Record<string, string> {
    return Object.fromEntries(this.stages.map((stage) => [stage.name, stage.status]));
  }

  private get course() {
    return { status: this.status, configuration: this.configuration };
  }

  private carryOut(steps: Step[]): Step[] {
    for (const step of steps) {
      if (step.command === 'end') this.status = workflowAfter(step.by, this.status);
      else this.move(step);
    }
    return steps;
  }

  private move(step: StageStep): void {
    const taskId = `task-of-${step.stage}`;
    if (step.command === 'start') {
      this.started.push(step.stage);
      this.tasks.set(taskId, { id: taskId, status: 'queued', error: null });
    }
    if (step.command === 'cancel') this.end(step.stage, 'cancelled');
    this.stages = this.stages.map((stage) =>
      stage.name === step.stage
        ? {
            ...stage,
            status: stageAfter(step.command, stage.status),
            task_id: step.command === 'skip' ? null : taskId,
          }
        : stage,
    );
  }
}

describe('a workflow', () => {
  it('starts every stage that depends on nothing', () => {
    const run = new Run({ a: [], b: [], c: ['a'] });
    expect(run.look()).toEqual([
      { command: 'start', stage: 'a' },
      { command: 'start', stage: 'b' },
    ]);
  });

  it('starts a stage when all its dependencies have completed, once', () => {
    const run = new Run(DIAMOND);
    run.look();
    run.end('a', 'completed').look();
    expect(run.running).toEqual(['left', 'right']);
    expect(run.end('left', 'completed').look()).toEqual([{ command: 'complete', stage: 'left' }]);
    expect(run.end('right', 'completed').look()).toEqual([
      { command: 'complete', stage: 'right' },
      { command: 'start', stage: 'end' },
    ]);
    expect(run.look()).toEqual([]);
  });

  it('starts a stage once when its dependencies end at the same moment', () => {
    const run = new Run(DIAMOND);
    run.look();
    run.end('a', 'completed').look();
    run.end('left', 'completed').end('right', 'completed').look();
    run.look();
    expect(run.started).toEqual(['a', 'left', 'right', 'end']);
  });

  it('ends completed when every stage has completed', () => {
    const run = new Run({ a: [] });
    run.look();
    expect(run.end('a', 'completed').look()).toEqual([
      { command: 'complete', stage: 'a' },
      { command: 'end', by: 'complete' },
    ]);
    expect(run.status).toBe('completed');
  });

  it('waits while tasks are claimed, run and tried again', () => {
    const run = new Run({ a: [] });
    run.look();
    for (const status of ['assigned', 'in_progress', 'queued'])
      expect(run.end('a', status).look()).toEqual([]);
  });

  it('runs one stage at a time, in topological, then listed, order, when it is not parallel', () => {
    const run = new Run(
      { deploy: ['test', 'docs'], test: ['build'], docs: [], build: [] },
      { ...STOP, parallel_execution: false },
    );
    for (run.look(); run.status === 'running'; run.look()) {
      expect(run.running).toHaveLength(1);
      for (const stage of run.running) run.end(stage, 'completed');
    }
    expect(run.started).toEqual(['docs', 'build', 'test', 'deploy']);
  });
});

describe('when a stage fails', () => {
  it('stop_on_error cancels what runs, skips the rest and ends failed, at once', () => {
    const run = new Run({ a: [], b: [], c: ['b'], d: ['a'] });
    run.look();
    expect(run.end('a', 'failed').look()).toEqual([
      { command: 'fail', stage: 'a', error: { code: 'BROKEN', message: 'a' } },
      { command: 'cancel', stage: 'b', reason: "stage 'a' failed" },
      { command: 'skip', stage: 'c', reason: "stage 'a' failed" },
      { command: 'skip', stage: 'd', reason: "stage 'a' failed" },
      { command: 'end', by: 'fail' },
    ]);
  });

  it('stop_on_error still takes in what completed at the same moment', () => {
    const run = new Run({ a: [], b: [] });
    run.look();
    run.end('a', 'failed').end('b', 'completed').look();
    expect(run.statuses).toEqual({ a: 'failed', b: 'completed' });
  });

  it('continue_on_error skips only what depends on it, however far, and ends failed when the rest is done', () => {
    const run = new Run(
      { a: [], b: [], afterA: ['a'], farBehindA: ['afterA', 'b'], afterB: ['b'] },
      CONTINUE,
    );
    run.look();
    run.end('a', 'failed').look();
    expect(run.statuses).toEqual({
      a: 'failed',
      b: 'running',
      afterA: 'skipped',
      farBehindA: 'skipped',
      afterB: 'pending',
    });
    run.end('b', 'completed').look();
    expect(run.running).toEqual(['afterB']);
    run.end('afterB', 'completed').look();
    expect(run.status).toBe('failed');
  });

  it('a stage whose task somebody cancelled has failed', () => {
    const run = new Run({ a: [] });
    run.look();
    expect(run.end('a', 'cancelled').look()).toEqual([
      {
        command: 'fail',
        stage: 'a',
        error: { code: 'TASK_CANCELLED', message: "Task 'task-of-a' was cancelled." },
      },
      { command: 'end', by: 'fail' },
    ]);
  });
});

describe('a cancel', () => {
  it('cancels what runs, skips the rest, and changes nothing when repeated', () => {
    const run = new Run(DIAMOND);
    run.look();
    run.end('a', 'completed').look();
    run.end('left', 'completed').cancel();
    expect(run.statuses).toEqual({ a: 'completed', left: 'completed', right: 'cancelled', end: 'skipped' });
    expect(run.status).toBe('cancelled');
    expect(run.cancel()).toEqual([]);
    expect(run.look()).toEqual([]);
  });

  it('comes too late when the last stage is done, looked at or not', () => {
    const run = new Run({ a: [] });
    run.look();
    run.end('a', 'completed');
    expect(() => run.cancel()).toThrow('A workflow that is completed cannot become cancelled.');
    run.look();
    expect(() => run.cancel()).toThrow('A workflow that is completed cannot become cancelled.');
  });
});

describe('any workflow, however its tasks end', () => {
  it('ends, in order, with each stage started once at most, and is settled by one look', () => {
    fc.assert(
      fc.property(courses(), ({ graph, configuration, endings, together }) => {
        const run = new Run(graph, configuration);
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

function judgeEnd(run: Run, { failure_strategy: strategy }: WorkflowConfiguration): void {
  const ends = Object.values(run.statuses);
  expect(ends).not.toContain('pending');
  expect(ends).not.toContain('running');
  expect(run.status).toBe(ends.every((status) => status === 'completed') ? 'completed' : 'failed');
  if (strategy === 'stop_on_error') return;
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
      strategy: fc.constantFrom('stop_on_error' as const, 'continue_on_error' as const),
      together: fc.integer({ min: 1, max: 4 }),
    })
    .map(({ listed: drawn, parallel, strategy, together }) => ({
      graph: Object.fromEntries(drawn.map((one) => [one.name, one.dependencies])) satisfies Record<
        string,
        StageNode['dependencies']
      >,
      endings: new Map(drawn.map((one) => [one.name, one.ending])),
      configuration: { parallel_execution: parallel, failure_strategy: strategy },
      together,
    }));
}

describe('the tables of moves', () => {
  it('reach every state that a stage or a workflow can be in so far', () => {
    const reached = (table: Record<string, Partial<Record<string, string>>>): Set<string | undefined> =>
      new Set(Object.values(table).flatMap((moves) => Object.values(moves)));
    expect(reached(STAGE_TRANSITIONS)).toEqual(
      new Set(['running', 'completed', 'failed', 'skipped', 'cancelled']),
    );
    expect(reached(WORKFLOW_TRANSITIONS)).toEqual(new Set(['completed', 'failed', 'cancelled']));
  });

  it('refuse every other move', () => {
    expect(() => stageAfter('start', 'completed')).toThrow(
      'A stage that is completed cannot become running.',
    );
    expect(() => workflowAfter('cancel', 'failed')).toThrow(
      'A workflow that is failed cannot become cancelled.',
    );
    for (const status of ['completed', 'failed', 'cancelled'] as const) {
      expect(decide({ status, configuration: STOP }, [], [])).toEqual([]);
    }
  });
});
