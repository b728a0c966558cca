import { ChoiceField, IdField, IntField, TextField, TimeField } from '../../platform/http/fields.js';
import { ListQuery } from '../../platform/http/list-query.dto.js';
import { TYPE_PATTERN } from '../../shared/ids.js';
import { PRIORITIES, TASK_STATUSES } from '../../shared/words.js';

export class TaskListQuery extends ListQuery {
  @ChoiceField({ about: 'failed is the dead-letter list.', values: TASK_STATUSES, optional: true })
  status?: string;

  @TextField({
    about: 'Only this type.',
    max: 128,
    pattern: TYPE_PATTERN,
    optional: true,
    example: 'code_generation',
  })
  type?: string;

  @IdField({ about: 'Only what this agent was asked for, holds or held last.', optional: true })
  assigned_agent?: string;

  @IdField({ about: 'Only the tasks of this workflow.', optional: true })
  parent_workflow_id?: string;

  @ChoiceField({ about: 'Only this priority.', values: PRIORITIES, optional: true })
  priority?: string;

  @TextField({
    about: 'Only failed tasks whose error has this code.',
    max: 128,
    optional: true,
    example: 'TASK_TIMEOUT',
  })
  error_code?: string;

  @TimeField({ about: 'Only what ended after this time.', optional: true })
  ended_after?: string;

  @TimeField({ about: 'Only what ended before this time.', optional: true })
  ended_before?: string;
}

export class WaitQuery {
  @IntField({ about: 'Milliseconds to wait for the end.', min: 0, max: 25_000, default: 0 })
  wait_ms?: number;

  @IdField({ about: 'Project, for tokens that see all.', optional: true })
  project_id?: string;
}
