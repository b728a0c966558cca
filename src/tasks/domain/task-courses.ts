import type { Report } from './report.js';
import type { Priority } from './task.js';

export type Agent = 'first' | 'second';
export type DependencyEnd = 'completed' | 'cancelled';

/** How the task is posted. */
export interface TaskCourse {
  /** Attempts in all. */
  readonly attempts: number;
  /** It is assigned to the first agent; nobody else may take it. */
  readonly isReserved: boolean;
  /** It waits for another task, and fails if that is cancelled, or runs all the same. */
  readonly dependency: 'none' | 'fail' | 'run';
}

/** What a report shows for being the holder's. */
export type Proof = 'token' | 'attempt' | 'nothing' | 'old token' | 'old attempt';

export type TaskCommand =
  | { readonly kind: 'claim'; readonly by: Agent }
  | { readonly kind: 'report'; readonly by: Agent; readonly proof: Proof; readonly told: Report }
  | { readonly kind: 'edit'; readonly priority?: Priority; readonly not_before?: string }
  | { readonly kind: 'end_dependency'; readonly as: DependencyEnd }
  | { readonly kind: 'cancel' | 'retry' | 'lose_lease' | 'time_out' };

export const TASK_COURSES: readonly TaskCourse[] = [1, 2, 3].flatMap((attempts) =>
  [false, true].flatMap((isReserved) =>
    (['none', 'none', 'fail', 'run'] as const).map((dependency) => ({ attempts, isReserved, dependency })),
  ),
);

const error = (code: string) => ({ code, message: 'no' });
const TOLD: readonly Report[] = [
  { status: 'in_progress', progress: 50 },
  { status: 'in_progress', output_data: { half: true } },
  { status: 'completed', output_data: { done: true } },
  { status: 'failed', error: error('BROKEN') },
  { status: 'failed', error: error('BROKEN'), output_data: { why: 'broken' } },
  { status: 'failed', error: { ...error('HOPELESS'), retryable: false } },
  { status: 'failed', error: error('LISTED') },
  { status: 'queued' },
];
const PROOFS: readonly Proof[] = [
  'token',
  'token',
  'token',
  'attempt',
  'nothing',
  'old token',
  'old attempt',
];
const AGENTS: readonly Agent[] = ['first', 'second'];

const often = (times: number, ...commands: TaskCommand[]): TaskCommand[] =>
  Array.from({ length: times }, () => commands).flat();

/** To draw from; what moves a task on is in it more often. */
export const TASK_COMMANDS: readonly TaskCommand[] = [
  ...AGENTS.flatMap((by) =>
    PROOFS.flatMap((proof) => TOLD.map((told): TaskCommand => ({ kind: 'report', by, proof, told }))),
  ),
  ...often(30, { kind: 'claim', by: 'first' }, { kind: 'claim', by: 'second' }),
  ...often(20, { kind: 'retry' }),
  ...often(
    10,
    { kind: 'end_dependency', as: 'completed' },
    { kind: 'edit', not_before: '2000-01-01T00:00:00Z' },
  ),
  ...often(5, { kind: 'cancel' }, { kind: 'lose_lease' }, { kind: 'time_out' }),
  ...often(5, { kind: 'end_dependency', as: 'cancelled' }),
  ...often(5, { kind: 'edit', priority: 'high' }, { kind: 'edit', not_before: '2099-01-01T00:00:00Z' }),
];
