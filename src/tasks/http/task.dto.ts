import { ApiProperty } from '@nestjs/swagger';
import {
  BooleanField,
  ChoiceField,
  IdField,
  IntField,
  JsonField,
  NestedField,
  NestedListField,
  NumberField,
  TextField,
  TextListField,
  TimeField,
} from '../../platform/http/fields.js';
import { PRIORITIES, TASK_STATUSES } from '../../shared/words.js';
import type { Priority, TaskStatus } from '../domain/task.js';
import { RetryPolicyDto } from '../dto/create-task.dto.js';
import { TaskErrorDto } from '../dto/report-task.dto.js';

class KeptErrorDto extends TaskErrorDto {
  @IntField({ about: 'The attempt that ended so.', min: 1, max: 2_147_483_647, optional: true })
  attempt?: number;
}

/** A task as it is answered (CONTRACT §4). */
export class TaskDto {
  @IdField({ about: 'Unique in its project.', example: 'task-001' })
  id: string;

  @TextField({ about: 'Project it belongs to.', max: 128, example: 'proj-456' })
  project_id: string;

  @TextField({ about: 'What is to be done.', max: 128, example: 'code_generation' })
  type: string;

  @TextField({ about: 'Type of the agents that may take it.', max: 128, example: 'code_generation' })
  agent_type: string;

  @ChoiceField({
    about: 'A timeout is a reason, not a state.',
    values: TASK_STATUSES,
    example: 'in_progress',
  })
  status: TaskStatus;

  @ChoiceField({ about: 'Claims go by priority, then age.', values: PRIORITIES, example: 'high' })
  priority: Priority;

  @TextField({
    about: 'The agent asked for, or the present or last holder.',
    max: 128,
    nullable: true,
    example: 'agent-001',
  })
  assigned_agent: string | null;

  @TextField({ about: 'Workflow it belongs to.', max: 128, nullable: true, example: 'workflow-123' })
  parent_workflow_id: string | null;

  @JsonField({ about: 'What the agent needs to know.', nullable: true })
  input_data: Record<string, unknown> | null;

  @IntField({
    about: 'Version of the template that `input_data` names, by which it was checked.',
    min: 1,
    max: 2_147_483_647,
    nullable: true,
    example: 1,
  })
  template_version: number | null;

  @TextListField({
    about: 'Tasks that have to end before it starts.',
    max: 500,
    maxLength: 128,
    example: ['task-002'],
  })
  dependencies: string[];

  @TextListField({ about: 'Capabilities its agent must have.', max: 50, maxLength: 128 })
  required_capabilities: string[];

  @IntField({ about: 'Seconds from claim to finish, per attempt.', min: 1, max: 2_592_000, example: 300 })
  timeout: number;

  @NestedField(() => RetryPolicyDto, { about: 'What happens when an attempt fails.' })
  retry_policy: RetryPolicyDto;

  @TimeField({ about: 'Not handed out before this time.', nullable: true })
  not_before: string | null;

  @TextField({ about: 'Tasks of one key share what is handed out.', max: 128, nullable: true })
  fairness_key: string | null;

  @ChoiceField({ about: 'As posted.', values: ['reject', 'queue'] })
  on_agent_unavailable: string;

  @ChoiceField({ about: 'As posted.', values: ['fail', 'run'] })
  on_dependency_failure: string;

  @TextField({ about: 'Carried by all its events.', max: 128, example: 'workflow-123' })
  correlation_id: string;

  @JsonField({ about: 'As posted.', nullable: true })
  metadata: Record<string, unknown> | null;

  @NumberField({ about: 'Per cent, as reported.', min: 0, max: 100, nullable: true, example: 45 })
  progress: number | null;

  @IntField({
    about: 'Number of the last claim; 0 before the first. It only grows, and fences.',
    min: 0,
    max: 2_147_483_647,
    example: 1,
  })
  attempt: number;

  @JsonField({ about: 'What was reported last.', nullable: true })
  output_data: Record<string, unknown> | null;

  @NestedField(() => KeptErrorDto, {
    about: 'Why the last attempt that ended badly did, or the task.',
    nullable: true,
  })
  error: KeptErrorDto | null;

  @TimeField({ about: 'As reported.', nullable: true })
  estimated_completion: string | null;

  @TimeField({ about: 'When a queued task may be handed out, if not now.', nullable: true })
  next_attempt_at: string | null;

  @TimeField({ about: 'When the holder’s lease ends without a sign of life.', nullable: true })
  lease_expires_at: string | null;

  @TimeField({ about: 'Database time.', example: '2025-01-15T12:00:00.000Z' })
  created_at: string;

  @TimeField({ about: 'Database time.', example: '2025-01-15T12:00:00.000Z' })
  updated_at: string;

  @TimeField({ about: 'When the first attempt that got to work began.', nullable: true })
  started_at: string | null;

  @TimeField({ about: 'When it completed, failed or was cancelled.', nullable: true })
  ended_at: string | null;
}

class ClaimedTaskDto extends TaskDto {
  @TextField({ about: 'Proof that you hold it; it fences what you report. Shown to you alone.', max: 200 })
  lease_token: string;
}

export class ClaimAnswer {
  @NestedListField(() => ClaimedTaskDto, { about: 'In claim order: priority, then age.', max: 100 })
  items: ClaimedTaskDto[];
}

export class TaskListAnswer {
  @NestedListField(() => TaskDto, { about: 'In the order posted.', max: 1000 })
  items: TaskDto[];
}

class ReportAnswer {
  @IdField({ about: 'The task that was reported.' })
  task_id: string;

  @BooleanField({ about: 'Was the report accepted?' })
  ok: boolean;

  @NestedField(() => TaskDto, { about: 'The task as it now is, if the report was accepted.', optional: true })
  task?: TaskDto;

  @JsonField({ about: 'Why the report was refused: code, message, details.', optional: true })
  error?: Record<string, unknown>;
}

export class ReportsAnswer {
  @NestedListField(() => ReportAnswer, { about: 'One per report, in order.', max: 100 })
  items: ReportAnswer[];

  @NestedListField(() => ClaimedTaskDto, {
    about: 'What was claimed in the same call, if it was asked for.',
    max: 100,
    optional: true,
  })
  claimed?: ClaimedTaskDto[];
}

class AttemptDto {
  @IntField({ about: 'Number of the attempt.', min: 1, max: 2_147_483_647 })
  attempt: number;

  @TextField({ about: 'Who held it.', max: 128, nullable: true })
  agent_id: string | null;

  @TimeField({ about: 'When it was claimed.', nullable: true })
  assigned_at: string | null;

  @TimeField({ about: 'When it ended; null while it runs.', nullable: true })
  ended_at: string | null;

  @ChoiceField({
    about: 'How it ended.',
    values: ['completed', 'failed', 'timed_out', 'lease_expired', 'handed_back', 'cancelled'],
    nullable: true,
  })
  outcome: string | null;

  @NestedField(() => TaskErrorDto, { about: 'Why it ended badly.', nullable: true })
  error: TaskErrorDto | null;
}

export class TaskHistoryDto {
  @NestedListField(() => AttemptDto, { about: 'In order.', max: 1_000_000 })
  attempts: AttemptDto[];

  @ApiProperty({
    description: 'The task’s events, in order, as GET /events gives them.',
    type: 'array',
    items: { type: 'object', additionalProperties: true },
  })
  events: Record<string, unknown>[];
}

export class TaskResultDto {
  @IdField({ about: 'The task.' })
  task_id: string;

  @ChoiceField({ about: 'completed, or where it is while it runs (202).', values: TASK_STATUSES })
  status: TaskStatus;

  @JsonField({ about: 'What the task gave; absent while it runs.', optional: true, nullable: true })
  output_data?: Record<string, unknown> | null;
}
