import {
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
import { ID_PATTERN, TYPE_PATTERN } from '../../shared/ids.js';
import { PRIORITIES } from '../../shared/words.js';
import type { Priority } from '../domain/task.js';

export class RetryPolicyDto {
  @IntField({ about: 'Attempts in all, the first included.', min: 1, max: 100, default: 3, example: 3 })
  max_attempts?: number;

  @ChoiceField({
    about: 'How the delay grows: initial_delay × 2^(n−1), × n, or not at all.',
    values: ['exponential', 'linear', 'fixed'],
    default: 'exponential',
    example: 'exponential',
  })
  backoff_strategy?: 'exponential' | 'linear' | 'fixed';

  @NumberField({ about: 'Seconds before the second attempt.', min: 0, max: 86_400, default: 1 })
  initial_delay?: number;

  @NumberField({ about: 'Seconds that no delay exceeds.', min: 0, max: 86_400, default: 300 })
  max_delay?: number;

  @ChoiceField({
    about: 'full: a random part of the delay is waited.',
    values: ['full', 'none'],
    default: 'full',
  })
  jitter?: 'full' | 'none';

  @TextListField({
    about: 'Error codes after which no attempt follows.',
    max: 100,
    maxLength: 128,
    optional: true,
  })
  non_retryable_errors?: string[];
}

export class CreateTaskDto {
  @IdField({
    about: 'Chosen by you it is an idempotency key; left out, a UUIDv7 is made.',
    optional: true,
    example: 'task-001',
  })
  id?: string;

  @TextField({
    about: 'What is to be done; a segment of the topics of its events.',
    max: 128,
    pattern: TYPE_PATTERN,
    example: 'code_generation',
  })
  type: string;

  @IdField({
    about: 'Project of the task, for tokens that see all projects.',
    optional: true,
    example: 'proj-456',
  })
  project_id?: string;

  @TextField({
    about: 'Type of the agents that may take it; default: `type`.',
    max: 128,
    pattern: TYPE_PATTERN,
    optional: true,
  })
  agent_type?: string;

  @ChoiceField({
    about: 'Claims go by priority, then age.',
    values: PRIORITIES,
    default: 'normal',
    example: 'high',
  })
  priority?: Priority;

  @IdField({ about: 'The one agent that may take it.', optional: true, example: 'agent-001' })
  assigned_agent?: string;

  @IdField({ about: 'Workflow it is listed and cancelled with.', optional: true, example: 'workflow-123' })
  parent_workflow_id?: string;

  @JsonField({
    about:
      'What the agent needs to know. `template_id` (with `template_version`, default the newest) names a template: `customizations` is checked by its schema, and kept with its defaults.',
    optional: true,
    example: {
      template_id: 'react-crud-template',
      customizations: {
        entities: ['User', 'Product', 'Order'],
        authentication: 'jwt',
        database: 'postgresql',
      },
    },
  })
  input_data?: Record<string, unknown>;

  @TextListField({
    about: 'Tasks that have to end before it starts.',
    max: 500,
    maxLength: 128,
    pattern: ID_PATTERN,
    optional: true,
    example: ['task-002'],
  })
  dependencies?: string[];

  @TextListField({ about: 'Capabilities its agent must have.', max: 50, maxLength: 128, optional: true })
  required_capabilities?: string[];

  @IntField({
    about: 'Seconds from claim to finish, per attempt.',
    min: 1,
    max: 2_592_000,
    default: 3600,
    example: 300,
  })
  timeout?: number;

  @NestedField(() => RetryPolicyDto, {
    about: 'What happens when an attempt fails.',
    optional: true,
    example: { max_attempts: 3, backoff_strategy: 'exponential' },
  })
  retry_policy?: RetryPolicyDto;

  @TimeField({ about: 'Not handed out before this time.', optional: true })
  not_before?: string;

  @TextField({
    about: 'Tasks of one key share what is handed out with the other keys.',
    max: 128,
    optional: true,
  })
  fairness_key?: string;

  @ChoiceField({
    about: 'When `assigned_agent` is unknown or offline: refuse, or wait for it.',
    values: ['reject', 'queue'],
    default: 'reject',
  })
  on_agent_unavailable?: 'reject' | 'queue';

  @ChoiceField({
    about: 'When a dependency fails: fail too, or run anyway.',
    values: ['fail', 'run'],
    default: 'fail',
  })
  on_dependency_failure?: 'fail' | 'run';

  @TextField({
    about: 'Carried by all its events; default: the workflow’s, else the request’s, else its id.',
    max: 128,
    optional: true,
  })
  correlation_id?: string;

  @JsonField({ about: 'Yours; Parley only keeps it.', optional: true })
  metadata?: Record<string, unknown>;
}

export class CreateTaskBatchDto {
  @NestedListField(() => CreateTaskDto, {
    about: 'All or nothing; they may depend on each other.',
    min: 1,
    max: 1000,
  })
  tasks: CreateTaskDto[];
}
