import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { bigintColumn, timeColumn } from '../../platform/database/columns.js';
import type { Priority, RetryPolicy, Task, TaskError, TaskStatus } from '../domain/task.js';

const HELD = `status IN ('assigned', 'in_progress')`;

@Entity('tasks')
@Check(
  'tasks_status_check',
  `status IN ('blocked', 'queued', 'assigned', 'in_progress', 'completed', 'failed', 'cancelled')`,
)
@Check('tasks_priority_check', `priority IN ('low', 'normal', 'high', 'critical')`)
@Index('tasks_claimable', ['project_id', 'route', 'rank', 'vtime', 'id'], { where: 'claimable' })
@Index('tasks_by_fairness', ['project_id', 'route', 'rank', 'fairness_key', 'vtime'], {
  where: 'claimable AND fairness_key IS NOT NULL',
})
@Index('tasks_held', ['assigned_agent', 'agent_project'], { where: HELD })
@Index('tasks_to_check', ['check_at'], { where: HELD })
@Index('tasks_waiting', ['available_at'], { where: `status = 'queued' AND NOT claimable` })
@Index('tasks_unsettled', ['ended_at'], { where: 'NOT settled' })
@Index('tasks_of_workflow', ['parent_workflow_id', 'project_id'], { where: 'parent_workflow_id IS NOT NULL' })
@Index('tasks_one_per_stage', ['parent_workflow_id', 'project_id', 'stage_name', 'stage_run'], {
  unique: true,
  where: 'stage_name IS NOT NULL',
})
// TypeORM cannot say DESC.
@Index('tasks_listed', { synchronize: false })
@Index('tasks_by_status', { synchronize: false })
@Index('tasks_by_correlation', { synchronize: false })
@Index('tasks_by_error', { synchronize: false })
export class TaskEntity implements Task {
  @PrimaryColumn('text') id: string;
  @PrimaryColumn('text') project_id: string;
  @Column('text') type: string;
  @Column('text') agent_type: string;
  @Column('text') status: TaskStatus;
  @Column('text') priority: Priority;
  @Column('text', { nullable: true }) requested_agent: string | null;
  @Column('text', { nullable: true }) assigned_agent: string | null;
  @Column('text', {
    nullable: true,
    comment: 'Project of the holder: an agent of * may hold tasks of any project.',
  })
  agent_project: string | null;
  @Column('int', { nullable: true }) session_epoch: number | null;
  @Column('text', { nullable: true }) parent_workflow_id: string | null;
  @Column('text', { nullable: true }) stage_name: string | null;
  @Column('int', { nullable: true }) stage_run: number | null;
  @Column('jsonb', { nullable: true }) input_data: unknown;
  @Column('int', {
    nullable: true,
    comment: 'Of the template that input_data names: the version it was checked by.',
  })
  template_version: number | null;
  @Column('text', { array: true, default: [] }) dependencies: string[];
  @Column('text', { array: true, default: [] }) required_capabilities: string[];
  @Column('int') timeout: number;
  @Column('jsonb') retry_policy: RetryPolicy;
  @timeColumn({ nullable: true }) not_before: string | null;
  @Column('text', {
    nullable: true,
    comment: 'Empty for a task without a key on a route where others have one; null elsewhere.',
  })
  fairness_key: string | null;
  @Column('text') on_agent_unavailable: Task['on_agent_unavailable'];
  @Column('text') on_dependency_failure: Task['on_dependency_failure'];
  @Column('text') correlation_id: string;
  @Column('jsonb', { nullable: true }) metadata: unknown;
  @Column('real', { nullable: true }) progress: number | null;
  @Column('int', { default: 0, comment: 'Only ever grows: it is the fencing token.' }) attempt: number;
  @Column('int', {
    default: 0,
    comment: 'Attempts that do not count against retry_policy.max_attempts (handed back, redriven).',
  })
  attempts_forgiven: number;
  @Column('jsonb', { nullable: true }) output_data: unknown;
  @Column('jsonb', { nullable: true }) error: TaskError | null;
  @timeColumn({ nullable: true }) estimated_completion: string | null;
  @Column('int') route: number;
  @Column('smallint') rank: number;
  @bigintColumn() vtime: number;
  @Column('boolean') claimable: boolean;
  @Column('boolean', {
    default: false,
    comment: 'Its workflow is paused: it is not claimable, whatever else holds.',
  })
  paused: boolean;
  @timeColumn({ nullable: true }) available_at: string | null;
  @timeColumn({ nullable: true }) assigned_at: string | null;
  @timeColumn({ nullable: true }) lease_until: string | null;
  @timeColumn({ nullable: true }) deadline_at: string | null;
  @timeColumn({
    nullable: true,
    comment:
      'A lower bound of the moment the lease or the deadline may pass; renewals leave it alone, the sweep moves it.',
  })
  check_at: string | null;
  @Column('boolean', { default: true }) settled: boolean;
  @Column('boolean', {
    default: false,
    comment: 'Another task depends on this one, so its end is not settled at once.',
  })
  awaited: boolean;
  @Column('text') body_hash: string;
  @bigintColumn() seq: number;
  @timeColumn() created_at: string;
  @timeColumn() updated_at: string;
  @timeColumn({ nullable: true }) started_at: string | null;
  @timeColumn({ nullable: true }) ended_at: string | null;
}
