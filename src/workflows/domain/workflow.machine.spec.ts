import { describe, expect, it } from '@jest/globals';
import { WORKFLOW_STATUSES } from '../../shared/words.js';
import { stageAfter, STAGE_TRANSITIONS } from './look.js';
import { STAGE_STATUSES, type WorkflowConfiguration } from './workflow.js';
import { WorkflowInMemory } from './workflow-in-memory.js';
import { decide, WORKFLOW_TRANSITIONS, workflowAfter } from './workflow.machine.js';

const STOP = { parallel_execution: true, failure_strategy: 'stop_on_error' } as const;
const CONTINUE = { parallel_execution: true, failure_strategy: 'continue_on_error' } as const;
const DIAMOND = { a: [], left: ['a'], right: ['a'], end: ['left', 'right'] };

const UNDO = { parallel_execution: true, failure_strategy: 'compensate' } as const;

/** One that stops on errors, if nothing else is said. */
class Run extends WorkflowInMemory {
  constructor(
    graph: Record<string, readonly string[]>,
    configuration: WorkflowConfiguration = STOP,
    compensable: readonly string[] = [],
  ) {
    super(graph, configuration, compensable);
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
      { command: 'move', by: 'complete' },
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
      { command: 'move', by: 'fail' },
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
        error: { code: 'TASK_CANCELLED', message: "Task 'a#1' was cancelled." },
      },
      { command: 'move', by: 'fail' },
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

describe('a paused workflow', () => {
  it('starts nothing, takes in what ends, and draws the consequences when it is resumed', () => {
    const run = new Run(DIAMOND);
    run.look();
    run.pause();
    expect(run.end('a', 'completed').look()).toEqual([{ command: 'complete', stage: 'a' }]);
    expect(run.pause()).toEqual([]);
    expect(run.resume()).toEqual([
      { command: 'move', by: 'resume' },
      { command: 'start', stage: 'left' },
      { command: 'start', stage: 'right' },
    ]);
    expect(run.resume()).toEqual([]);
  });

  it('does not end, whatever its tasks do, before it is resumed', () => {
    const run = new Run({ a: [], b: [] });
    run.look();
    run.pause();
    run.end('a', 'failed').look();
    expect(run.status).toBe('paused');
    expect(run.statuses).toEqual({ a: 'failed', b: 'running' });
    run.resume();
    expect(run.status).toBe('failed');
    expect(run.statuses).toEqual({ a: 'failed', b: 'cancelled' });
  });

  it('can be cancelled, and cannot be retried', () => {
    const run = new Run({ a: [] });
    run.look();
    run.pause();
    expect(() => run.retry()).toThrow('A workflow that is paused cannot become running.');
    run.cancel();
    expect(run.status).toBe('cancelled');
  });

  it('cannot be paused when its last stage is done', () => {
    const run = new Run({ a: [] });
    run.look();
    run.end('a', 'completed');
    expect(() => run.pause()).toThrow('A workflow that is completed cannot become paused.');
  });
});

describe('a retry', () => {
  it('runs what did not complete once more, and keeps what did', () => {
    const run = new Run(DIAMOND);
    run.look();
    run.end('a', 'completed').look();
    run.end('left', 'completed').end('right', 'failed').look();
    expect(run.status).toBe('failed');
    run.retry();
    expect(run.running).toEqual(['right']);
    run.end('right', 'completed').look();
    run.end('end', 'completed').look();
    expect(run.status).toBe('completed');
    expect(run.made).toEqual(['a#1', 'left#1', 'right#1', 'right#2', 'end#2']);
  });

  it('runs again what was undone', () => {
    const run = new Run({ a: [], b: ['a'] }, UNDO, ['a']);
    run.look();
    run.end('a', 'completed').look();
    run.end('b', 'failed').look();
    run.endUndoing('a', 'completed').look();
    run.retry();
    expect(run.statuses).toEqual({ a: 'running', b: 'pending' });
    run.end('a', 'completed').look();
    run.end('b', 'completed').look();
    expect(run.made).toEqual(['a#1', 'b#1', 'undo a#2', 'a#3', 'b#3']);
    expect(run.status).toBe('completed');
  });

  describe('when stages stayed completed behind one that was undone', () => {
    function retried(): Run {
      const run = new Run({ a: [], b: ['a'], c: ['b'], d: ['c'], e: [] }, UNDO, ['a', 'c']);
      run.look();
      for (const stage of ['a', 'b', 'c', 'e']) run.end(stage, 'completed').look();
      run.end('d', 'failed').look();
      for (const stage of ['c', 'a']) run.endUndoing(stage, 'completed').look();
      run.retry();
      return run;
    }

    it('starts what lies behind them when that is done again', () => {
      const run = retried();
      expect(run.statuses).toMatchObject({ a: 'running', b: 'completed', c: 'pending', d: 'pending' });
      run.end('a', 'completed').look();
      expect(run.running).toEqual(['c']);
      for (const stage of ['c', 'd']) run.end(stage, 'completed').look();
      expect(run.status).toBe('completed');
    });

    it('ends when that fails', () => {
      const run = retried();
      run.end('a', 'failed').look();
      expect(run.statuses).toMatchObject({ a: 'failed', b: 'completed', c: 'skipped', d: 'skipped' });
      expect(run.status).toBe('failed');
    });
  });

  it.each(['completed', 'running', 'paused'] as const)('is refused to a workflow that is %s', (status) => {
    const run = new Run({ a: [] });
    run.status = status;
    expect(() => run.retry()).toThrow(`A workflow that is ${status} cannot become running.`);
  });
});

describe('a workflow that is undone', () => {
  const CHAIN = { a: [], b: ['a'], c: ['b'], d: ['c'] };

  function failed(compensable: string[]): Run {
    const run = new Run(CHAIN, UNDO, compensable);
    run.look();
    for (const stage of ['a', 'b', 'c']) run.end(stage, 'completed').look();
    run.end('d', 'failed').look();
    return run;
  }

  it('undoes what completed, one at a time, in reverse order, and ends failed', () => {
    const run = failed(['a', 'c', 'd']);
    expect(run.status).toBe('compensating');
    expect(run.open).toEqual(['undo c#2']);
    run.endUndoing('c', 'completed').look();
    expect(run.open).toEqual(['undo a#2']);
    expect(run.endUndoing('a', 'completed').look()).toEqual([
      { command: 'compensate', stage: 'a' },
      { command: 'move', by: 'fail' },
    ]);
    expect(run.statuses).toEqual({ a: 'compensated', b: 'completed', c: 'compensated', d: 'failed' });
  });

  it('fails at once when there is nothing to undo', () => {
    expect(failed([]).status).toBe('failed');
  });

  it('goes on when a stage cannot be undone, and tells why', () => {
    const run = failed(['a', 'c']);
    run.endUndoing('c', 'failed').look();
    expect(run.open).toEqual(['undo a#2']);
    run.endUndoing('a', 'cancelled').look();
    expect(run.status).toBe('failed');
    const errors = run.stages.map(({ error }) => error?.code);
    expect(errors).toEqual(['COMPENSATION_FAILED', undefined, 'COMPENSATION_FAILED', 'BROKEN']);
    expect(run.statuses).toMatchObject({ a: 'completed', c: 'completed' });
  });

  it('cancels what runs beside the failure, and undoes what completed at the same moment', () => {
    const run = new Run({ a: [], b: [], c: [] }, UNDO, ['a', 'b', 'c']);
    run.look();
    run.end('a', 'failed').end('b', 'completed').look();
    expect(run.statuses).toEqual({ a: 'failed', b: 'completed', c: 'cancelled' });
    expect(run.open).toEqual(['undo b#2']);
  });

  it('can be cancelled half-way, and cannot be paused', () => {
    const run = failed(['a', 'c']);
    run.endUndoing('c', 'completed').look();
    expect(() => run.pause()).toThrow('A workflow that is compensating cannot become paused.');
    run.cancel();
    expect(run.status).toBe('cancelled');
    expect(run.open).toEqual([]);
    expect(run.statuses).toMatchObject({ a: 'completed', c: 'compensated' });
  });
});

describe('a workflow whose time is over', () => {
  it('is stopped and has failed', () => {
    const run = new Run({ a: [], b: ['a'] }, CONTINUE);
    run.look();
    run.timeOut();
    expect(run.status).toBe('failed');
    expect(run.why).toBe('WORKFLOW_TIMEOUT');
    expect(run.statuses).toEqual({ a: 'cancelled', b: 'skipped' });
    expect(run.timeOut()).toEqual([]);
  });

  it('is undone, if that was asked for', () => {
    const run = new Run({ a: [], b: ['a'] }, UNDO, ['a']);
    run.look();
    run.end('a', 'completed').look();
    run.timeOut();
    expect(run.open).toEqual(['undo a#2']);
  });

  it('has ended well when its last stage was done in time, looked at or not', () => {
    const run = new Run({ a: [] });
    run.look();
    run.end('a', 'completed').timeOut();
    expect(run.status).toBe('completed');
  });

  it('ends though it is paused', () => {
    const run = new Run({ a: [] });
    run.look();
    run.pause();
    run.timeOut();
    expect(run.status).toBe('failed');
  });
});

describe('the tables of moves', () => {
  it('reach every state that a stage or a workflow can be in', () => {
    const reached = (table: Record<string, Partial<Record<string, string>>>): Set<string | undefined> =>
      new Set(Object.values(table).flatMap((moves) => Object.values(moves)));
    expect(reached(STAGE_TRANSITIONS)).toEqual(new Set(STAGE_STATUSES));
    // A workflow is born running; `pending` is a word of the contract that nothing needs.
    expect(reached(WORKFLOW_TRANSITIONS)).toEqual(
      new Set(WORKFLOW_STATUSES.filter((one) => one !== 'pending')),
    );
  });

  it.each(WORKFLOW_STATUSES)('refuse every other move of a workflow that is %s', (from) => {
    for (const [command, moves] of Object.entries(WORKFLOW_TRANSITIONS)) {
      // Object.entries forgets that its keys are the table's.
      const move = (): unknown => workflowAfter(command as keyof typeof WORKFLOW_TRANSITIONS, from);
      if (from in moves) expect(move()).toBe(Object.entries(moves).find(([one]) => one === from)?.[1]);
      else expect(move).toThrow(`A workflow that is ${from} cannot become`);
    }
  });

  it('refuse every other move of a stage', () => {
    expect(() => stageAfter('start', 'completed')).toThrow(
      'A stage that is completed cannot become running.',
    );
    for (const status of ['completed', 'failed', 'cancelled', 'pending'] as const) {
      expect(decide({ status, configuration: STOP }, [], [])).toEqual([]);
    }
  });
});
