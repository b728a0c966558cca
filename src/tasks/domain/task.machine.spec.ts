import { describe, expect, it } from '@jest/globals';
import { DomainError } from '../../shared/domain-error.js';
import { TASK_STATUSES } from '../../shared/words.js';
import { create, type NewTask } from './creation.js';
import { cancel, checkLease, edit, failDependency, loseHolder, redrive, release } from './lifecycle.js';
import { decideReport, type Report, type Reporter } from './report.js';
import type { Circumstances } from './retry.js';
import { TASK_TRANSITIONS, type TaskCommandName } from './task.machine.js';
import type { Decision, Task, TaskStatus } from './task.js';

const NOW = '2026-01-01T00:00:00.000Z';
const AT: Circumstances = { now: NOW, random: 0.5, leaseSeconds: 90 };
const HOLDER: Reporter = { agent: { id: 'a1', projectId: 'p' }, sessionEpoch: 1, fence: 'current' };

const POSTED: NewTask = { id: 't1', project_id: 'p', type: 'code', route: 1, body_hash: 'h' };

function queuedTask(more: Partial<NewTask> = {}): Task {
  const around = {
    now: NOW,
    ordinal: 0,
    dependency: () => undefined,
    workflow: undefined,
    absentAgent: undefined,
  };
  return create({ ...POSTED, ...more }, around).task;
}

/** A task in each state, as the machine itself would have left it. */
function taskThatIs(status: TaskStatus): Task {
  const task = queuedTask();
  const held = {
    attempt: 1,
    assigned_agent: 'a1',
    agent_project: 'p',
    session_epoch: 1,
    assigned_at: NOW,
    lease_until: '2026-01-01T00:01:30.000Z',
    deadline_at: '2026-01-01T01:00:00.000Z',
    check_at: '2026-01-01T00:01:30.000Z',
    claimable: false,
  };
  switch (status) {
    case 'queued':
      return task;
    case 'blocked':
      return { ...task, status, claimable: false };
    case 'assigned':
    case 'in_progress':
      return { ...task, ...held, status };
    case 'completed':
    case 'failed':
    case 'cancelled':
      return { ...task, status, claimable: false, attempt: 1, assigned_agent: 'a1', ended_at: NOW };
  }
}

const report =
  (body: Report) =>
  (task: Task): Decision =>
    decideReport(task, body, HOLDER, AT);

const REDRIVING = { dependenciesMet: true, isPaused: false };

/** Every command of the table but `claim`, which is one SQL statement; integration tests have it. */
const COMMANDS: Record<Exclude<TaskCommandName, 'claim'>, (task: Task) => Decision> = {
  start: report({ status: 'in_progress' }),
  complete: report({ status: 'completed' }),
  fail: report({ status: 'failed', error: { code: 'E', message: 'no' } }),
  hand_back: report({ status: 'queued' }),
  expire: (task) => loseHolder(task, 'gone', AT),
  time_out: (task) => {
    const decision = checkLease(task, null, { ...AT, now: '2026-01-01T02:00:00.000Z' });
    if (decision.task === task) throw new DomainError('INVALID_TRANSITION', 'not held');
    return decision;
  },
  cancel: (task) => cancel(task, 'requested', AT),
  release: (task) => release(task, AT),
  fail_dependency: (task) => failDependency(task, { id: 'd', status: 'failed' }, AT),
  edit: (task) => edit(task, { priority: 'high' }, AT),
  retry: (task) => redrive(task, REDRIVING, AT),
};

/** A repeated command that changes nothing is an answer, not a transition. */
function outcome(command: (task: Task) => Decision, task: Task): TaskStatus | 'refused' | 'unchanged' {
  try {
    const decision = command(task);
    return decision.task === task ? 'unchanged' : decision.task.status;
  } catch (error) {
    if (error instanceof DomainError && ['INVALID_TRANSITION', 'STALE_LEASE'].includes(error.code))
      return 'refused';
    throw error;
  }
}

describe('the task machine', () => {
  for (const [name, command] of Object.entries(COMMANDS)) {
    for (const status of TASK_STATUSES) {
      const moves: Partial<Record<TaskStatus, readonly TaskStatus[]>> =
        TASK_TRANSITIONS[name as TaskCommandName];
      const targets = moves[status];
      // The seed's way to start a queued task needs an agent it was posted for; it has its own test below.
      const allowed = name === 'start' && status === 'queued' ? undefined : targets;
      it(`${name} of a task that is ${status} ${allowed ? `leaves it ${allowed.join(' or ')}` : 'is refused or changes nothing'}`, () => {
        const result = outcome(command, taskThatIs(status));
        if (allowed) expect(allowed).toContain(result);
        else expect(['refused', 'unchanged']).toContain(result);
      });
    }
  }

  it('reaches every state', () => {
    const moves: Partial<Record<TaskStatus, readonly TaskStatus[]>>[] = Object.values(TASK_TRANSITIONS);
    const targets = new Set(moves.flatMap((move) => Object.values(move).flat()));
    expect([...targets].toSorted()).toEqual([...TASK_STATUSES].toSorted());
  });
});

describe('a report', () => {
  it('with an old fence is stale, whatever it says', () => {
    for (const status of ['in_progress', 'completed', 'failed', 'queued'] as const) {
      expect(() =>
        decideReport(taskThatIs('in_progress'), { status }, { ...HOLDER, fence: 'stale' }, AT),
      ).toThrow(expect.objectContaining({ code: 'STALE_LEASE' }));
    }
  });

  it('that is repeated after the end gets the stored task and writes nothing', () => {
    const completed = taskThatIs('completed');
    expect(report({ status: 'completed' })(completed)).toEqual({ task: completed, facts: [] });
  });

  it('that nothing came before is no repetition: a task that nobody has had, or that was started anew', () => {
    const own = queuedTask({ assigned_agent: 'a1' });
    const anew = redrive({ ...taskThatIs('cancelled'), requested_agent: 'a1' }, REDRIVING, AT).task;
    for (const task of [own, anew]) {
      expect(() => decideReport(task, { status: 'failed' }, { ...HOLDER, fence: 'none' }, AT)).toThrow(
        expect.objectContaining({ code: 'STALE_LEASE' }),
      );
    }
  });

  it('without a fence is accepted from the present holder only', () => {
    const other: Reporter = { agent: { id: 'b', projectId: 'p' }, sessionEpoch: 1, fence: 'none' };
    expect(() => decideReport(taskThatIs('assigned'), { status: 'completed' }, other, AT)).toThrow(
      expect.objectContaining({ code: 'FORBIDDEN' }),
    );
    const mine: Reporter = { ...HOLDER, fence: 'none' };
    expect(decideReport(taskThatIs('assigned'), { status: 'completed' }, mine, AT).task.status).toBe(
      'completed',
    );
  });

  it('in_progress by the agent a queued task is assigned to claims it in the same step', () => {
    const task = queuedTask({ assigned_agent: 'a1' });
    const decision = decideReport(
      task,
      { status: 'in_progress', progress: 45 },
      { ...HOLDER, fence: 'none' },
      AT,
    );
    expect(decision.task).toMatchObject({
      status: 'in_progress',
      attempt: 1,
      progress: 45,
      assigned_agent: 'a1',
    });
    expect(decision.facts.map((fact) => fact.type)).toEqual([
      'task.assigned',
      'task.started',
      'task.progress',
    ]);
  });

  it('of a failure is followed by another attempt after its backoff, until the attempts are spent', () => {
    const policy = { max_attempts: 2, backoff_strategy: 'fixed', initial_delay: 10, jitter: 'none' } as const;
    const first = {
      ...taskThatIs('in_progress'),
      retry_policy: { ...queuedTask({ retry_policy: policy }).retry_policy },
    };
    const retried = report({ status: 'failed', error: { code: 'E', message: 'no' } })(first);
    expect(retried.task).toMatchObject({
      status: 'queued',
      claimable: false,
      available_at: '2026-01-01T00:00:10.000Z',
    });
    const last = report({ status: 'failed', error: { code: 'E', message: 'no' } })({ ...first, attempt: 2 });
    expect(last.task).toMatchObject({ status: 'failed', error: { code: 'E' } });
  });

  it('of a failure that is not retryable ends the task', () => {
    const error = { code: 'E', message: 'no', retryable: false };
    expect(report({ status: 'failed', error })(taskThatIs('in_progress')).task.status).toBe('failed');
  });

  it('that hands the task back refunds the attempt and keeps its number used', () => {
    const { task } = report({ status: 'queued' })(taskThatIs('assigned'));
    expect(task).toMatchObject({ status: 'queued', claimable: true, attempt: 1, attempts_forgiven: 1 });
  });

  it('that hands the task back keeps what an earlier attempt ended with, and is answered again', () => {
    const error = { code: 'LEASE_EXPIRED', message: 'gone', attempt: 1 };
    const back = report({ status: 'queued' })({ ...taskThatIs('assigned'), attempt: 2, error }).task;
    expect(back).toMatchObject({ status: 'queued', error });
    expect(report({ status: 'queued' })(back)).toEqual({ task: back, facts: [] });
  });

  it('after the lease was lost is stale, even before anybody else has the task', () => {
    const lost = checkLease(taskThatIs('in_progress'), null, { ...AT, now: '2026-01-01T00:02:00.000Z' }).task;
    expect(lost).toMatchObject({ status: 'queued', error: { code: 'LEASE_EXPIRED' } });
    expect(() => report({ status: 'completed' })(lost)).toThrow(
      expect.objectContaining({ code: 'STALE_LEASE' }),
    );
    expect(() => report({ status: 'failed' })(lost)).toThrow(
      expect.objectContaining({ code: 'STALE_LEASE' }),
    );
  });
});

describe('a lease', () => {
  const late = { ...AT, now: '2026-01-01T00:02:00.000Z' };
  const alive = { lease_until: '2026-01-01T00:03:00.000Z', session_epoch: 1 };

  it('of a started task lives on its agent’s heartbeats in the same session', () => {
    expect(checkLease(taskThatIs('in_progress'), alive, late).task).toMatchObject({
      status: 'in_progress',
      check_at: alive.lease_until,
    });
    expect(checkLease(taskThatIs('in_progress'), { ...alive, session_epoch: 2 }, late).task.status).toBe(
      'queued',
    );
  });

  it('of an assigned task lives on its own: nobody may be running it', () => {
    expect(checkLease(taskThatIs('assigned'), alive, late).task.status).toBe('queued');
  });
});

describe('a new task', () => {
  const around = { now: NOW, ordinal: 0, workflow: undefined, absentAgent: undefined };
  const withDependency = { ...POSTED, dependencies: ['d'] };

  it('waits for a dependency that runs, goes on with one that completed, and is refused with one that failed', () => {
    const given = (status: TaskStatus) =>
      create(withDependency, { ...around, dependency: () => ({ id: 'd', status }) });
    expect(given('in_progress').task.status).toBe('blocked');
    expect(given('completed').task).toMatchObject({ status: 'queued', claimable: true });
    expect(() => given('failed')).toThrow(expect.objectContaining({ code: 'DEPENDENCY_NOT_MET' }));
  });

  it('is refused when its agent is away, unless it may wait', () => {
    const absentAgent = { agent_id: 'a1', last_seen: null, retry_after: 60 };
    const away = { ...around, dependency: () => undefined, absentAgent };
    expect(() => create(POSTED, away)).toThrow(expect.objectContaining({ code: 'AGENT_UNAVAILABLE' }));
    expect(create({ ...POSTED, on_agent_unavailable: 'queue' }, away).task.status).toBe('queued');
  });

  it('is not claimable before its time', () => {
    expect(queuedTask({ not_before: '2026-01-01T00:00:05.000Z' })).toMatchObject({
      claimable: false,
      available_at: '2026-01-01T00:00:05.000Z',
    });
  });
});
