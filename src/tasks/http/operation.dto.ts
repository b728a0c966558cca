import {
  ChoiceField,
  IdField,
  IntField,
  JsonField,
  TextField,
  TimeField,
} from '../../platform/http/fields.js';
import { TYPE_PATTERN } from '../../shared/ids.js';
import { PRIORITIES } from '../../shared/words.js';

/** Which of the tasks that have ended badly up to now are started anew; nothing said: all that failed. */
export class RetryTasksDto {
  @IdField({ about: 'Of the operation; chosen by you it is an idempotency key.', optional: true })
  id?: string;

  @IdField({ about: 'Project, for tokens that see all.', optional: true })
  project_id?: string;

  @ChoiceField({ about: 'How they ended.', values: ['failed', 'cancelled'], default: 'failed' })
  status: 'failed' | 'cancelled';

  @TextField({ about: 'Only this type.', max: 128, pattern: TYPE_PATTERN, optional: true })
  type?: string;

  @TextField({
    about: 'Only failed tasks whose error has this code.',
    max: 128,
    optional: true,
    example: 'COMPILE_ERROR',
  })
  error_code?: string;

  @IdField({ about: 'Only what this agent was asked for, or held last.', optional: true })
  assigned_agent?: string;

  @IdField({ about: 'Only the tasks of this workflow that are no stage of it.', optional: true })
  parent_workflow_id?: string;

  @ChoiceField({ about: 'Only this priority.', values: PRIORITIES, optional: true })
  priority?: string;

  @TextField({ about: 'Only what has this correlation id.', max: 128, optional: true })
  correlation_id?: string;

  @TimeField({ about: 'Only what was created after this time.', optional: true })
  created_after?: string;

  @TimeField({ about: 'Only what was created before this time.', optional: true })
  created_before?: string;

  @TimeField({ about: 'Only what ended after this time.', optional: true })
  ended_after?: string;
}

/** Work on many tasks, and how far it has come. */
export class TaskOperationDto {
  @IdField({ about: 'Unique in its project.' })
  id: string;

  @TextField({ about: 'Project of its tasks.', max: 128 })
  project_id: string;

  @ChoiceField({ about: 'What is done.', values: ['retry'] })
  kind: string;

  @ChoiceField({
    about: 'completed: it has looked at every task that was meant.',
    values: ['running', 'completed'],
  })
  status: string;

  @JsonField({ about: 'Which tasks are meant.' })
  filter: Record<string, unknown>;

  @IntField({ about: 'Tasks that were meant when it began; counted to 100,000.', min: 0, max: 100_000 })
  matched: number;

  @IntField({ about: 'Tasks started anew so far.', min: 0, max: 2_147_483_647 })
  done: number;

  @IntField({
    about: 'Tasks left as they are so far: stages of workflows, and what has a failed dependency.',
    min: 0,
    max: 2_147_483_647,
  })
  skipped: number;

  @TimeField({ about: 'What ended later is not meant.' })
  created_at: string;

  @TimeField({ about: 'When it last moved on.' })
  updated_at: string;

  @TimeField({ about: 'When it was done with all.', nullable: true })
  ended_at: string | null;
}
