import { deepStrictEqual as equal } from 'node:assert/strict';
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DomainError } from '../../shared/domain-error.js';
import { create } from './creation.js';
import { cancel, checkLease, edit, failDependency, redrive, release } from './lifecycle.js';
import { decideReport, type Reporter } from './report.js';
import type { Circumstances } from './retry.js';
import { TASK_COMMANDS, TASK_COURSES, type TaskCommand, type TaskCourse } from './task-courses.js';
import { TaskInMemory } from './task-in-memory.js';
import type { Decision, Task, TaskStatus } from './task.js';

const AT: Circumstances = { now: '2026-01-01T00:00:00.000Z', random: 0, leaseSeconds: 90 };
const LATER: Circumstances = { ...AT, now: '2026-01-01T00:10:00.000Z' };
const MUCH_LATER: Circumstances = { ...AT, now: '2026-01-02T00:00:00.000Z' };

/** A task as the pure decisions leave it; claiming, which is SQL, is done by hand. */
class DecidedTask {
  private task: Task;
  private readonly events: string[];
  private readonly attempts: { readonly by: string; outcome: string | null }[] = [];
  private dependency: TaskStatus = 'queued';
  private readonly claimed = new Set<number>();

  constructor(private readonly course: TaskCourse) {
    const { attempts, isReserved, dependency } = course;
    const posted = {
      id: 't',
      project_id: 'p',
      type: 'code',
      route: 1,
      body_hash: '',
      retry_policy: { max_attempts: attempts, initial_delay: 0, non_retryable_errors: ['LISTED'] },
      ...(isReserved ? { assigned_agent: 'first' } : {}),
      ...(dependency === 'none' ? {} : { dependencies: ['d'], on_dependency_failure: dependency }),
    };
    const around = { now: AT.now, ordinal: 0, workflow: undefined, absentAgent: undefined };
    const decision = create(posted, { ...around, dependency: (id) => ({ id, status: this.dependency }) });
    this.task = decision.task;
    this.events = decision.facts.map(({ type }) => type);
  }

  give(command: TaskCommand): string {
    if (command.kind === 'claim') return this.claim(command.by);
    try {
      this.take(this.decide(command));
      return 'ok';
    } catch (error) {
      if (error instanceof DomainError) return error.code;
      throw error;
    }
  }

  get shown() {
    const { status, assigned_agent: agent, priority, attempt, progress, output_data: output } = this.task;
    const { attempts, events } = this;
    return {
      status,
      agent,
      priority,
      attempt,
      progress,
      output,
      error: errorOf(this.task),
      attempts,
      events,
    };
  }

  private claim(by: string): string {
    const { claimable, requested_agent: only, attempt } = this.task;
    if (!claimable || (only ?? by) !== by) return 'nothing';
    const held = { status: 'assigned', claimable: false, progress: null, assigned_agent: by } as const;
    const lease = {
      session_epoch: 1,
      agent_project: 'p',
      lease_until: LATER.now,
      deadline_at: MUCH_LATER.now,
    };
    this.task = { ...this.task, ...held, ...lease, attempt: attempt + 1 };
    this.attempts.push({ by, outcome: null });
    this.claimed.add(attempt + 1);
    this.events.push('task.assigned');
    return 'ok';
  }

  private decide(command: Exclude<TaskCommand, { kind: 'claim' }>): Decision {
    const { task } = this;
    switch (command.kind) {
      case 'report': {
        const agent = { id: command.by, projectId: 'p' };
        return decideReport(
          task,
          command.told,
          { agent, sessionEpoch: 1, fence: this.fence(command.proof) },
          AT,
        );
      }
      case 'edit': {
        const { kind: _kind, ...changes } = command;
        return edit(task, changes, AT);
      }
      case 'cancel':
        return cancel(task, 'requested', AT);
      case 'retry':
        return redrive(task, { dependenciesMet: this.isDependencyMet, isPaused: false }, AT);
      case 'end_dependency':
        return this.endDependency(command.as);
      case 'lose_lease':
        return checkLease(task, { lease_until: MUCH_LATER.now, session_epoch: 1 }, LATER);
      case 'time_out':
        return checkLease(task, null, MUCH_LATER);
    }
  }

  private fence(proof: string): Reporter['fence'] {
    const { attempt } = this.task;
    if (proof === 'nothing') return 'none';
    if (proof === 'token') return this.claimed.has(attempt) ? 'proved' : 'stale';
    return proof === 'attempt' && attempt > 0 ? 'current' : 'stale';
  }

  private get isDependencyMet(): boolean {
    const { dependency: rule } = this.course;
    return (
      rule === 'none' ||
      this.dependency === 'completed' ||
      (rule === 'run' && this.dependency === 'cancelled')
    );
  }

  private endDependency(status: TaskStatus): Decision {
    if (this.course.dependency === 'none' || this.dependency !== 'queued')
      return { task: this.task, facts: [] };
    this.dependency = status;
    if (this.task.status !== 'blocked') return { task: this.task, facts: [] };
    return this.isDependencyMet ? release(this.task, AT) : failDependency(this.task, { id: 'd', status }, AT);
  }

  private take({ task, facts, ended }: Decision): void {
    this.task = task;
    this.events.push(...facts.map(({ type }) => type));
    // Who takes its own task by starting it gets an attempt without a claim.
    if (task.attempt > this.attempts.length)
      this.attempts.push({ by: task.assigned_agent ?? '', outcome: null });
    const attempt = this.attempts.at(-1);
    if (ended !== undefined && attempt !== undefined) attempt.outcome = ended.outcome;
  }
}

function errorOf({ error }: Task) {
  if (error === null) return null;
  const { code, attempt } = error;
  return attempt === undefined ? { code } : { code, attempt };
}

it('is decided as in memory, in 100,000 commands', () => {
  const told = new Set<string>();
  const sequences = fc.array(fc.constantFrom(...TASK_COMMANDS), { minLength: 50, maxLength: 50 });
  fc.assert(
    fc.property(fc.constantFrom(...TASK_COURSES), sequences, (course, sequence) => {
      const model = new TaskInMemory(course);
      const decided = new DecidedTask(course);
      for (const command of sequence) {
        const expected: readonly string[] = model.give(command);
        const answer = decided.give(command);
        if (!expected.includes(answer)) throw new Error(`${answer}, not ${expected.join(' or ')}`);
        told.add(`${command.kind}: ${answer}`);
      }
      equal(decided.shown, model.shown);
    }),
    { numRuns: 2_000 },
  );
  // Nothing is left out.
  expect([...told].toSorted()).toEqual([
    'cancel: INVALID_TRANSITION',
    'cancel: ok',
    'claim: nothing',
    'claim: ok',
    'edit: INVALID_TRANSITION',
    'edit: ok',
    'end_dependency: ok',
    'lose_lease: ok',
    'report: DEPENDENCY_NOT_MET',
    'report: FORBIDDEN',
    'report: INVALID_TRANSITION',
    'report: STALE_LEASE',
    'report: ok',
    'retry: DEPENDENCY_NOT_MET',
    'retry: INVALID_TRANSITION',
    'retry: ok',
    'time_out: ok',
  ]);
});
