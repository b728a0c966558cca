import { describe, expect, it } from '@jest/globals';
import { DomainError } from '../../shared/domain-error.js';
import { resultOf } from './result.js';

const STAGES = [
  { name: 'plan', output: { modules: 2 } },
  { name: 'build', output: null },
];

function refusal(read: () => unknown): Pick<DomainError, 'code' | 'message' | 'details'> {
  try {
    read();
  } catch (error) {
    if (error instanceof DomainError) return error;
  }
  throw new Error('it was not refused');
}

describe('the result of a workflow', () => {
  it('is what each stage gave, once it has completed', () => {
    const workflow = { id: 'w', status: 'completed' as const, error: null, stages: STAGES };
    expect(resultOf(workflow)).toEqual({ plan: { modules: 2 }, build: null });
  });

  it.each(['pending', 'running', 'paused', 'compensating'] as const)(
    'does not exist while it is %s',
    (status) => {
      expect(resultOf({ id: 'w', status, error: null, stages: STAGES })).toBeUndefined();
    },
  );

  it('of a failed one is WORKFLOW_FAILED with the failed stages', () => {
    const failed = [{ stage: 'build', task_id: 't', error: { code: 'COMPILE_ERROR', message: 'line 1' } }];
    const error = { code: 'WORKFLOW_FAILED', message: "Stage 'build' failed.", details: { stages: failed } };
    expect(refusal(() => resultOf({ id: 'w', status: 'failed', error, stages: STAGES }))).toMatchObject({
      code: 'WORKFLOW_FAILED',
      message: "Workflow 'w' failed: Stage 'build' failed.",
      details: { workflow_id: 'w', stages: failed },
    });
  });

  it('of a cancelled one is a conflict', () => {
    expect(
      refusal(() => resultOf({ id: 'w', status: 'cancelled', error: null, stages: STAGES })),
    ).toMatchObject({
      code: 'CONFLICT',
      details: { workflow_id: 'w', status: 'cancelled' },
    });
  });
});
