import { describe, expect, it } from '@jest/globals';
import { judgeDags } from './dags.js';
import type { LogEntry } from './history.js';

const STAGE = { task_id: null, error: null, dependencies: [] };
const DONE = {
  id: 'w',
  status: 'completed',
  configuration: { parallel_execution: false, failure_strategy: 'compensate' },
  stages: [
    { ...STAGE, name: 'a', status: 'completed', compensation: 'x' },
    { ...STAGE, name: 'b', status: 'completed', compensation: 'x', dependencies: ['a'] },
  ],
};

let seq = 0;
function event(type: string, more: object = {}, status = 'running'): LogEntry {
  const payload = { workflow_id: 'w', status, ...more };
  return { id: String(seq), event_type: type, seq: (seq += 1), timestamp: '', source_agent: null, payload };
}

const started = (stage: string, task = `t-${stage}`): LogEntry =>
  event('workflow.stage_started', { stage, task_id: task });
const completed = (stage: string): LogEntry => event('workflow.stage_completed', { stage });
const END = event('workflow.completed', {}, 'completed');
const GOOD = [event('workflow.started'), started('a'), completed('a'), started('b'), completed('b'), END];

const tasks = ['t-a', 't-b'].map((id) => ({ id, status: 'completed', attempt: 1, assigned_agent: null }));
const judge = (log: LogEntry[], workflow: Parameters<typeof judgeDags>[0][number] = DONE): string[] =>
  judgeDags([workflow], { log, tasks });

describe('the judge of workflows', () => {
  it('has nothing to say about one that went well', () => {
    expect(judge(GOOD)).toEqual([]);
  });

  it.each([
    ['out of order', [started('b'), completed('b'), started('a'), completed('a'), END], /b started before a/],
    ['a stage twice', [...GOOD.slice(0, 3), started('a'), ...GOOD.slice(3)], /a started, and was completed/],
    ['two at a time', [started('a'), started('b')], /b started beside another/],
    [
      'a task for two stages',
      [started('a'), completed('a'), started('b', 't-a')],
      /b has no task of its own/,
    ],
    ['life after its end', [...GOOD, completed('b')], /came after its end/],
    ['an end without all', GOOD.slice(0, 4), /the log leaves it running/],
    [
      'work while it was paused',
      [
        event('workflow.paused', {}, 'paused'),
        { ...event('task.assigned'), payload: { task_id: 't-a', parent_workflow_id: 'w' } },
      ],
      /t-a was handed out while it was paused/,
    ],
    [
      'undoing from the front',
      [
        ...GOOD.slice(0, 5),
        event('workflow.stage_compensated', { stage: 'a' }, 'compensating'),
        event('workflow.failed', { error: {} }, 'failed'),
      ],
      /a was undone before b/,
    ],
  ])('finds %s', (_, log, finding) => {
    expect(judge(log)).toEqual(expect.arrayContaining([expect.stringMatching(finding)]));
  });

  it('finds one that never ends', () => {
    expect(judge(GOOD.slice(0, 2), { ...DONE, status: 'running' })).toEqual(
      expect.arrayContaining([expect.stringMatching(/it is still running/)]),
    );
  });
});
