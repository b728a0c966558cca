import { DomainError, validationFailed } from '../../shared/domain-error.js';
import {
  DEFAULT_RETRY_POLICY,
  RANK,
  type Decision,
  type Priority,
  type RetryPolicy,
  type Task,
  type TaskStatus,
  utc,
} from './task.js';
import { undrawn } from './turn.js';

/** A task to be created, with everything that was looked up or drawn for it before the first try. */
export interface NewTask {
  readonly id: string;
  readonly project_id: string;
  readonly type: string;
  readonly agent_type?: string;
  readonly priority?: Priority;
  readonly assigned_agent?: string;
  readonly parent_workflow_id?: string;
  readonly stage_name?: string;
  readonly stage_run?: number;
  readonly input_data?: unknown;
  /** Of the template that `input_data` names: the version it was checked by. */
  readonly template_version?: number | null;
  readonly dependencies?: readonly string[];
  readonly required_capabilities?: readonly string[];
  readonly timeout?: number;
  readonly retry_policy?: Partial<RetryPolicy>;
  readonly not_before?: string;
  /** Empty: it has none, but others on its route have. */
  readonly fairness_key?: string;
  readonly on_agent_unavailable?: 'reject' | 'queue';
  readonly on_dependency_failure?: 'fail' | 'run';
  /** The one given, else the request's; without either it is the workflow's, else the task's own id. */
  readonly correlation_id?: string;
  readonly metadata?: unknown;
  /** Who may take it, as a small integer. */
  readonly route: number;
  readonly body_hash: string;
}

/** What stands around a new task, read under locks in the same transaction. */
export interface Surroundings {
  readonly now: string;
  /** Distinguishes tasks of one transaction; below 1000. */
  readonly ordinal: number;
  readonly dependency: (id: string) => { readonly id: string; readonly status: TaskStatus } | undefined;
  /** The workflow named as parent; undefined when there is none of that id. */
  readonly workflow: { readonly status: string; readonly correlation_id: string } | undefined;
  /** Set when the agent it is assigned to cannot be reached. */
  readonly absentAgent:
    | { readonly agent_id: string; readonly last_seen: string | null; readonly retry_after: number }
    | undefined;
}

const ENDED_WORKFLOW = ['completed', 'failed', 'cancelled'];

/** Decides whether a task may be created, and how it begins: blocked, queued for later, or claimable. */
export function create(task: NewTask, around: Surroundings): Decision {
  assertParent(task, around);
  assertAgent(task, around);
  const blocked = isBlocked(task, around);
  const { now } = around;
  const notBefore = task.not_before === undefined ? null : utc(task.not_before);
  const due = notBefore === null || notBefore <= now;
  const paused = around.workflow?.status === 'paused';
  const priority = task.priority ?? 'normal';
  const created: Task = {
    id: task.id,
    project_id: task.project_id,
    type: task.type,
    agent_type: task.agent_type ?? task.type,
    status: blocked ? 'blocked' : 'queued',
    priority,
    requested_agent: task.assigned_agent ?? null,
    assigned_agent: task.assigned_agent ?? null,
    agent_project: null,
    session_epoch: null,
    parent_workflow_id: task.parent_workflow_id ?? null,
    stage_name: task.stage_name ?? null,
    stage_run: task.stage_run ?? null,
    input_data: task.input_data ?? null,
    template_version: task.template_version ?? null,
    dependencies: task.dependencies ?? [],
    required_capabilities: task.required_capabilities ?? [],
    timeout: task.timeout ?? 3600,
    retry_policy: { ...DEFAULT_RETRY_POLICY, ...task.retry_policy },
    not_before: notBefore,
    fairness_key: task.fairness_key ?? null,
    on_agent_unavailable: task.on_agent_unavailable ?? 'reject',
    on_dependency_failure: task.on_dependency_failure ?? 'fail',
    correlation_id: task.correlation_id ?? around.workflow?.correlation_id ?? task.id,
    metadata: task.metadata ?? null,
    progress: null,
    attempt: 0,
    attempts_forgiven: 0,
    output_data: null,
    error: null,
    estimated_completion: null,
    route: task.route,
    rank: RANK[priority],
    // Age in microseconds: tasks of one millisecond keep the order in which they came.
    vtime:
      task.fairness_key === undefined ? Date.parse(now) * 1000 + around.ordinal : undrawn(around.ordinal),
    claimable: !blocked && due && !paused,
    paused,
    available_at: blocked || due ? null : notBefore,
    assigned_at: null,
    lease_until: null,
    deadline_at: null,
    check_at: null,
    settled: true,
    awaited: false,
    body_hash: task.body_hash,
    seq: 0,
    created_at: now,
    updated_at: now,
    started_at: null,
    ended_at: null,
  };
  // One fact: the event says whether it waits or may be claimed. `task.queued` is for what was blocked or held before.
  return { task: created, facts: [{ type: 'task.created' }] };
}

function assertParent({ parent_workflow_id }: NewTask, { workflow }: Surroundings): void {
  if (parent_workflow_id === undefined) return;
  if (workflow === undefined) {
    throw validationFailed([
      { path: '/parent_workflow_id', message: `there is no workflow '${parent_workflow_id}'` },
    ]);
  }
  if (ENDED_WORKFLOW.includes(workflow.status)) {
    throw new DomainError(
      'CONFLICT',
      `Workflow '${parent_workflow_id}' is ${workflow.status}; it takes no more tasks.`,
    );
  }
}

function assertAgent(task: NewTask, { absentAgent }: Surroundings): void {
  if (absentAgent === undefined || task.on_agent_unavailable === 'queue') return;
  throw new DomainError('AGENT_UNAVAILABLE', 'The requested agent is currently unavailable', absentAgent);
}

/** @throws DomainError DEPENDENCY_NOT_MET when a dependency does not exist, or failed and the task does not run anyway */
function isBlocked(task: NewTask, { dependency }: Surroundings): boolean {
  let blocked = false;
  for (const id of task.dependencies ?? []) {
    const found = dependency(id);
    if (found === undefined) {
      throw new DomainError('DEPENDENCY_NOT_MET', `Dependency '${id}' does not exist.`, { dependency: id });
    }
    if (!hasEndedStatus(found.status)) blocked = true;
    else if (found.status !== 'completed' && task.on_dependency_failure !== 'run') {
      throw new DomainError('DEPENDENCY_NOT_MET', `Dependency '${id}' is ${found.status}.`, {
        dependency: id,
        status: found.status,
      });
    }
  }
  return blocked;
}

function hasEndedStatus(status: TaskStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}
