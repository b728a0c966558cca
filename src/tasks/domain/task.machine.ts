import { invalidTransition } from '../../shared/domain-error.js';
import type { Task, TaskStatus } from './task.js';

/** Every command that can meet a task, with the states it may meet it in and the states it may leave it in. */
export const TASK_TRANSITIONS = {
  claim: { queued: ['assigned'] },
  start: { assigned: ['in_progress'], in_progress: ['in_progress'], queued: ['in_progress'] },
  complete: { assigned: ['completed'], in_progress: ['completed'] },
  fail: { assigned: ['queued', 'failed'], in_progress: ['queued', 'failed'] },
  hand_back: { assigned: ['queued'], in_progress: ['queued'] },
  expire: { assigned: ['queued', 'failed'], in_progress: ['queued', 'failed'] },
  time_out: { assigned: ['queued', 'failed'], in_progress: ['queued', 'failed'] },
  cancel: {
    blocked: ['cancelled'],
    queued: ['cancelled'],
    assigned: ['cancelled'],
    in_progress: ['cancelled'],
  },
  release: { blocked: ['queued'] },
  fail_dependency: { blocked: ['failed'] },
  edit: { blocked: ['blocked'], queued: ['queued'] },
  retry: { failed: ['queued'], cancelled: ['queued'] },
} as const satisfies Record<string, Partial<Record<TaskStatus, readonly TaskStatus[]>>>;

export type TaskCommandName = keyof typeof TASK_TRANSITIONS;

/** What a client would call the state it asked for, in a refusal. */
const WANTED: Readonly<Record<TaskCommandName, string>> = {
  claim: 'assigned',
  start: 'in_progress',
  complete: 'completed',
  fail: 'failed',
  hand_back: 'queued',
  expire: 'queued',
  time_out: 'queued',
  cancel: 'cancelled',
  release: 'queued',
  fail_dependency: 'failed',
  edit: 'edited',
  retry: 'queued',
};

function isAllowed(command: TaskCommandName, from: TaskStatus): boolean {
  return from in TASK_TRANSITIONS[command];
}

/** @throws DomainError INVALID_TRANSITION when the table has no such move */
export function assertAllowed(command: TaskCommandName, task: Task): void {
  if (!isAllowed(command, task.status)) throw invalidTransition('task', task.status, WANTED[command]);
}
