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
  TimeField,
} from '../../platform/http/fields.js';
import { PRIORITIES } from '../../shared/words.js';
import type { Priority } from '../domain/task.js';

export class TaskErrorDto {
  @TextField({
    about: 'A code of yours; retry_policy.non_retryable_errors names such codes.',
    max: 128,
    example: 'COMPILE_ERROR',
  })
  code: string;

  @TextField({ about: 'For people.', max: 10_000, example: 'unexpected token' })
  message: string;

  @BooleanField({ about: 'false: no further attempt, whatever the policy says.', optional: true })
  retryable?: boolean;

  @JsonField({ about: 'Facts about the failure; at most 64 KiB.', maxBytes: 64 * 1024, optional: true })
  details?: Record<string, unknown>;
}

/** The seed's PATCH body: what a holder reports, or what a client edits while the task waits. */
export class UpdateTaskDto {
  @ChoiceField({
    about: 'queued hands the task back, its attempt refunded.',
    values: ['in_progress', 'completed', 'failed', 'queued'],
    optional: true,
    example: 'in_progress',
  })
  status?: 'in_progress' | 'completed' | 'failed' | 'queued';

  @NumberField({ about: 'Per cent.', min: 0, max: 100, optional: true, example: 45 })
  progress?: number;

  @JsonField({
    about: 'What the work gave so far; replaces what was reported before.',
    optional: true,
    example: { files_generated: 12, current_operation: 'generating_api_routes' },
  })
  output_data?: Record<string, unknown>;

  @TimeField({
    about: 'When the agent expects to be done; shown, not enforced.',
    optional: true,
    example: '2025-01-15T14:30:00Z',
  })
  estimated_completion?: string;

  @NestedField(() => TaskErrorDto, { about: 'With status failed.', optional: true })
  error?: TaskErrorDto;

  @IntField({ about: 'Fence: the attempt you hold.', min: 1, max: 2_147_483_647, optional: true })
  attempt?: number;

  @TextField({
    about: 'Fence: the token your claim answered with; also as header X-Lease-Token.',
    max: 200,
    optional: true,
  })
  lease_token?: string;

  @IntField({ about: 'The session of yours that reports.', min: 1, max: 2_147_483_647, optional: true })
  session_epoch?: number;

  @ChoiceField({ about: 'Edit, while the task waits.', values: PRIORITIES, optional: true })
  priority?: Priority;

  @TimeField({ about: 'Edit, while the task waits.', optional: true })
  not_before?: string;

  @IntField({ about: 'Edit, while the task waits. Seconds.', min: 1, max: 2_592_000, optional: true })
  timeout?: number;

  @JsonField({ about: 'Edit, while the task waits.', optional: true })
  metadata?: Record<string, unknown>;
}

export class TaskReportDto extends UpdateTaskDto {
  @IdField({ about: 'The task that is reported.', example: 'task-001' })
  task_id: string;

  @IdField({ about: 'Its project, for agents that serve all.', optional: true })
  project_id?: string;
}

class ClaimNowDto {
  @IntField({ about: 'Tasks at most.', min: 1, max: 100, default: 1, example: 5 })
  max_tasks?: number;
}

export class ReportsDto {
  @NestedListField(() => TaskReportDto, { about: 'Each is judged alone.', min: 1, max: 100 })
  reports: TaskReportDto[];

  @NestedField(() => ClaimNowDto, {
    about: 'Adds what can be claimed now to the answer; it never waits.',
    optional: true,
  })
  claim?: ClaimNowDto;

  @IntField({ about: 'The session of yours that reports.', min: 1, max: 2_147_483_647, optional: true })
  session_epoch?: number;
}

export class ClaimDto extends ClaimNowDto {
  @IntField({
    about: 'Milliseconds to wait for work when there is none.',
    min: 0,
    max: 25_000,
    default: 0,
    example: 20_000,
  })
  wait_ms?: number;

  @IntField({ about: 'The session of yours that claims.', min: 1, max: 2_147_483_647, optional: true })
  session_epoch?: number;
}
