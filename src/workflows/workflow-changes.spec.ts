import { describe, expect, it } from '@jest/globals';
import type { Statement } from '../platform/database/statement.js';
import type { DomainEvent } from '../shared/domain-event.js';
import { DEFAULT_CONFIGURATION } from './domain/workflow.js';
import type { StageRow, WorkflowRow } from './persistence/workflow-rows.js';
import { WorkflowChanges } from './workflow-changes.js';

const EARLIER = '2026-01-01T00:00:00.000Z';
const LATER = '2026-01-01T00:00:01.000Z';

const RUNNING: WorkflowRow = {
  id: 'w',
  project_id: 'p',
  name: 'test',
  status: 'running',
  configuration: DEFAULT_CONFIGURATION,
  input_data: { goal: 'ship' },
  metadata: null,
  error: null,
  correlation_id: 'corr',
  body_hash: '',
  run: 2,
  seq: 4,
  created_at: EARLIER,
  updated_at: LATER,
  ended_at: null,
};

function stage(name: string, more: Partial<StageRow>, dependencies: string[] = []): StageRow {
  const definition = { name, agent_type: 'coder', dependencies };
  const blank = { task_id: null, started_at: null, ended_at: null, error: null };
  return { name, definition, status: 'pending', ...blank, ...more };
}

function changes(now: string, workflow = RUNNING) {
  const events: DomainEvent[] = [];
  const writes: Statement[] = [];
  const into = {
    now,
    record: (event: DomainEvent) => events.push(event),
    write: (one: Statement) => writes.push(one),
  };
  const stages = [
    stage('a', { status: 'running', task_id: 't-a', started_at: EARLIER }),
    stage('b', {}, ['a']),
  ];
  const made = new WorkflowChanges(into, workflow, stages, new Map([['t-a', { files: 1 }]]));
  return { made, events, writes };
}

describe('changes of a workflow', () => {
  it('turn a stage into a task of this run, with what its dependencies gave', () => {
    const { made } = changes(LATER);
    made.take({ command: 'complete', stage: 'a' });
    made.take({ command: 'start', stage: 'b' });
    expect(made.started).toMatchObject([
      {
        projectId: 'p',
        type: 'coder',
        agentType: 'coder',
        parentWorkflowId: 'w',
        stageName: 'b',
        stageRun: 2,
        correlationId: 'corr',
        inputData: { workflow: { goal: 'ship' }, input: null, stages: { a: { files: 1 } } },
      },
    ]);
    expect(made.stages[1]).toMatchObject({ status: 'running', task_id: made.started[0]?.id });
  });

  it('number their events behind the last one', () => {
    const { made, events } = changes(LATER);
    made.take({ command: 'fail', stage: 'a', error: { code: 'BROKEN', message: 'x' } });
    made.take({ command: 'skip', stage: 'b', reason: "stage 'a' failed" });
    made.take({ command: 'end', by: 'fail' });
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
    const { made, writes } = changes(LATER);
    made.update();
    expect(writes).toEqual([]);
  });
});
