import {
  BooleanField,
  ChoiceField,
  IdField,
  IntField,
  JsonField,
  NestedField,
  NestedListField,
  TextField,
  TextListField,
  TimeField,
} from '../../platform/http/fields.js';
import { WORKFLOW_STATUSES } from '../../shared/words.js';
import { STAGE_STATUSES, type StageStatus, type WorkflowStatus } from '../domain/workflow.js';
import { MAX_STAGES } from '../domain/workflow.graph.js';
import { CreateStageDto, MAX_TIMEOUT, WorkflowConfigurationDto } from './create-workflow.dto.js';

class WorkflowErrorDto {
  @TextField({ about: 'For programs.', max: 128, example: 'COMPILE_ERROR' })
  code: string;

  @TextField({ about: 'For people.', max: 10_000, example: 'unexpected token' })
  message: string;

  @JsonField({ about: 'Facts about the failure.', optional: true })
  details?: Record<string, unknown>;
}

/** A stage as it is answered: as posted, and how it stands. */
class StageDto extends CreateStageDto {
  @ChoiceField({
    about: 'skipped: never started. cancelled: stopped while it ran.',
    values: STAGE_STATUSES,
    example: 'completed',
  })
  status: StageStatus;

  @IdField({ about: 'The task it became; null before it starts.', nullable: true })
  task_id: string | null;

  @IdField({
    about: 'The task that undoes it; null before. If that failed, the stage stays completed, with an error.',
    nullable: true,
  })
  compensation_task_id: string | null;

  @TimeField({ about: 'When it became a task.', nullable: true })
  started_at: string | null;

  @TimeField({ about: 'When it ended, however it ended.', nullable: true })
  ended_at: string | null;

  @JsonField({ about: 'What its task gave.', nullable: true, example: { modules: 4 } })
  output: Record<string, unknown> | null;

  @BooleanField({
    about:
      'true: the output is left out, since an answer shows 16 MiB of outputs at most; `GET /tasks/{task_id}/result` has it. Else absent.',
    optional: true,
  })
  output_omitted?: boolean;

  @NestedField(() => WorkflowErrorDto, {
    about:
      'Why it failed; INPUT_TOO_LARGE: what its dependencies gave exceeds 1 MiB. COMPENSATION_FAILED: it completed and could not be undone.',
    nullable: true,
  })
  error: WorkflowErrorDto | null;
}

/** A workflow as it is answered (CONTRACT §5). */
export class WorkflowDto {
  @IdField({ about: 'Unique in its project.', example: 'workflow-123' })
  id: string;

  @TextField({ about: 'Project it belongs to.', max: 128, example: 'proj-456' })
  project_id: string;

  @TextField({ about: 'For people.', max: 256, example: 'Full Stack App Generation' })
  name: string;

  @ChoiceField({
    about:
      'completed only if every stage completed; failed when all has ended otherwise. paused: nothing starts; what runs goes on, and what follows from its end waits.',
    values: WORKFLOW_STATUSES,
    example: 'running',
  })
  status: WorkflowStatus;

  @NestedListField(() => StageDto, { about: 'In the order in which they were listed.', max: MAX_STAGES })
  stages: StageDto[];

  @NestedField(() => WorkflowConfigurationDto, { about: 'How the stages are run.' })
  configuration: WorkflowConfigurationDto;

  @IntField({ about: 'As posted, in seconds.', min: 1, max: MAX_TIMEOUT, nullable: true })
  timeout: number | null;

  @JsonField({ about: 'As posted.', nullable: true })
  input_data: Record<string, unknown> | null;

  @TextField({ about: 'Carried by all its events and tasks.', max: 128, example: 'workflow-123' })
  correlation_id: string;

  @JsonField({ about: 'As posted.', nullable: true })
  metadata: Record<string, unknown> | null;

  @NestedField(() => WorkflowErrorDto, {
    about:
      'Why it failed: WORKFLOW_FAILED, whose `details.stages` holds the failed stages with code and message of their errors (the first 50, and 1,000 characters; `details.stage_count` counts all), or WORKFLOW_TIMEOUT. `details.not_compensated`, `details.not_compensated_count`: what could not be undone.',
    nullable: true,
  })
  error: WorkflowErrorDto | null;

  @TimeField({ about: 'Database time.', example: '2025-01-15T12:00:00.000Z' })
  created_at: string;

  @TimeField({ about: 'Database time.', example: '2025-01-15T12:00:00.000Z' })
  updated_at: string;

  @TimeField({ about: 'When its `timeout` is over; a retry starts it anew.', nullable: true })
  deadline_at: string | null;

  @TimeField({ about: 'When it completed, failed or was cancelled.', nullable: true })
  ended_at: string | null;
}

export class WorkflowResultDto {
  @IdField({ about: 'The workflow.', example: 'workflow-123' })
  workflow_id: string;

  @ChoiceField({ about: 'completed, or where it is while it runs (202).', values: WORKFLOW_STATUSES })
  status: WorkflowStatus;

  @JsonField({
    about: 'What each stage gave, by its name; absent while the workflow runs.',
    optional: true,
    example: { code_generation: { files_generated: 12 } },
  })
  output?: Record<string, unknown>;

  @TextListField({
    about:
      'Stages whose output is left out (null), since an answer shows 16 MiB of outputs at most; `GET /tasks/{task_id}/result` has it. Absent when there are none.',
    max: 500,
    maxLength: 128,
    optional: true,
  })
  omitted_stages?: string[];
}
