import { describe, expect, it } from '@jest/globals';
import type { DomainEvent } from '../shared/domain-event.js';
import { DEFAULT_CONFIGURATION } from './domain/workflow.js';
import type { StageState, WorkflowState } from './persistence/workflow-rows.js';
import { WorkflowChanges } from './workflow-changes.js';

const EARLIER = '2026-01-01T00:00:00.000Z';
const LATER = '2026-01-01T00:00:01.000Z';

const RUNNING: WorkflowState = {
  id: 'w',
  project_id: 'p',
  name: 'test',
  status: 'running',
  configuration: DEFAULT_CONFIGURATION,
  error: null,
  correlation_id: 'corr',
  timeout: null,
  deadline_at: null,
  check_at: null,
  run: 2,
  seq: 4,
  created_at: EARLIER,
  updated_at: LATER,
  ended_at: null,
};

const TASK = {
  id: 't-b',
  projectId: 'p',
  type: 'coder',
  agentType: 'coder',
  parentWorkflowId: 'w',
  stageName: 'b',
  stageRun: 2,
  inputData: {},
  correlationId: 'corr',
};

function stage(name: string, more: Partial<StageState>, dependencies: string[] = []): StageState {
  const blank = { task_id: null, compensation_task_id: null, started_at: null, ended_at: null, error: null };
  return { name, dependencies, compensable: false, status: 'pending', ...blank, ...more };
}

const STAGES = [
  stage('a', { status: 'running', task_id: 't-a', started_at: EARLIER }),
  stage('b', {}, ['a']),
];

function changes(now: string, workflow = RUNNING, stages: readonly StageState[] = STAGES) {
  const events: DomainEvent[] = [];
  const into = {
    now,
    record: (event: DomainEvent) => events.push(event),
  };
  const made = new WorkflowChanges(into, workflow, stages);
  return { made, events };
}

describe('changes of a workflow', () => {
  it('give a stage its task, and keep what another gave', () => {
    const { made } = changes(LATER);
    made.take({ command: 'complete', stage: 'a' }, { files: 1 });
    made.begin('start', 'b', TASK);
    expect(made.given).toEqual(new Map([['a', { files: 1 }]]));
    expect(made.started).toEqual([TASK]);
    expect(made.stages).toMatchObject([{ output: { files: 1 } }, { status: 'running', task_id: 't-b' }]);
  });

  it('tell, at the end, why it failed in the first place, and what could not be undone', () => {
    const { made, events } = changes(LATER);
    made.take({ command: 'complete', stage: 'a' });
    made.begin('start', 'b', TASK);
    made.take({ command: 'fail', stage: 'b', error: { code: 'BROKEN', message: 'x' } });
    made.move({ command: 'move', by: 'compensate' });
    made.begin('undo', 'a', { ...TASK, id: 'u-a' });
    made.take({ command: 'give_up', stage: 'a', error: { code: 'COMPENSATION_FAILED', message: 'y' } });
    made.move({ command: 'move', by: 'fail' });
    expect(made.workflow.run).toBe(3);
    expect(events.slice(-2).map(({ type }) => type)).toEqual(['workflow.compensating', 'workflow.failed']);
    expect(events.at(-1)?.payload['error']).toEqual({
      code: 'WORKFLOW_FAILED',
      message: "Stage 'b' failed. Stage 'a' could not be undone.",
      details: {
        stages: [{ stage: 'b', task_id: 't-b', error: { code: 'BROKEN', message: 'x' } }],
        stage_count: 1,
        not_compensated: [
          { stage: 'a', task_id: 'u-a', error: { code: 'COMPENSATION_FAILED', message: 'y' } },
        ],
        not_compensated_count: 1,
      },
    });
  });

  it('tell only the first of many errors, and each in brief; a stage keeps all of its own', () => {
    const names = Array.from({ length: 60 }, (_, index) => `s${index}`);
    const { made } = changes(
      LATER,
      RUNNING,
      names.map((name) => stage(name, { status: 'running' })),
    );
    const error = { code: 'BROKEN', message: '😀'.repeat(2_000), details: { log: 'long' } };
    for (const name of names) made.take({ command: 'fail', stage: name, error });
    made.move({ command: 'move', by: 'fail' });
    expect(made.workflow.error).toEqual({
      code: 'WORKFLOW_FAILED',
      message: '60 stages failed.',
      details: {
        stages: names.slice(0, 50).map((name) => ({
          stage: name,
          task_id: null,
          error: { code: 'BROKEN', message: '😀'.repeat(1_000) },
        })),
        stage_count: 60,
      },
    });
    expect(made.stages.map((one) => one.error)).toEqual(names.map(() => error));
  });

  it('number their events behind the last one', () => {
    const { made, events } = changes(LATER);
    made.take({ command: 'fail', stage: 'a', error: { code: 'BROKEN', message: 'x' } });
    made.take({ command: 'skip', stage: 'b', reason: "stage 'a' failed" });
    made.move({ command: 'move', by: 'fail' });
    expect(events.map(({ seq, type }) => [seq, type])).toEqual([
      [5, 'workflow.stage_failed'],
      [6, 'workflow.stage_skipped'],
      [7, 'workflow.failed'],
    ]);
    expect(made.workflow).toMatchObject({
      seq: 7,
      status: 'failed',
      error: { message: "Stage 'a' failed." },
    });
    expect(events[2]?.payload).toMatchObject({ status: 'failed', error: { code: 'WORKFLOW_FAILED' } });
  });

  it('begin a new workflow with its start', () => {
    const { events } = changes(LATER, { ...RUNNING, seq: 0 });
    expect(events).toMatchObject([{ seq: 1, type: 'workflow.started' }]);
  });

  it('never date an event before the one that precedes it, whichever transaction began first', () => {
    const { made, events } = changes(EARLIER);
    made.take({ command: 'complete', stage: 'a' });
    expect(events[0]?.timestamp).toBe(LATER);
    expect(made.stages[0]?.ended_at).toBe(LATER);
  });

  it('write nothing when nothing changed', () => {
    const { made } = changes(LATER);
    expect(made.written(false)).toMatchObject({ row: undefined, stages: [], isMoved: false });
  });
});
