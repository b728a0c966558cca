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
} from '../../platform/http/fields.js';
import { TYPE_PATTERN } from '../../shared/ids.js';
import { type Priority, RetryPolicyDto } from '../../tasks/index.js';
import { PRIORITIES } from '../../shared/words.js';
import { DEFAULT_CONFIGURATION, FAILURE_STRATEGIES, type FailureStrategy } from '../domain/workflow.js';
import { MAX_STAGES } from '../domain/workflow.graph.js';

/** Any text without control characters. */
// oxlint-disable-next-line no-control-regex -- they are what it excludes
const STAGE_NAME = /^[^\u0000-\u001f\u007f-\u009f]+$/;

/** 30 days, in seconds. */
export const MAX_TIMEOUT = 2_592_000;

const SEED_STAGES = [
  {
    name: 'requirement_analysis',
    agent_type: 'requirement_analysis',
    dependencies: [],
    timeout: 120,
  },
  {
    name: 'architecture_planning',
    agent_type: 'architecture_planning',
    dependencies: ['requirement_analysis'],
    timeout: 180,
  },
  {
    name: 'code_generation',
    agent_type: 'code_generation',
    dependencies: ['architecture_planning'],
    timeout: 600,
  },
];

export class CreateStageDto {
  @TextField({
    about: 'Unique in its workflow.',
    max: 128,
    pattern: STAGE_NAME,
    example: 'architecture_planning',
  })
  name: string;

  @TextField({
    about: 'Type of the agents that may take its task, and the type of that task.',
    max: 128,
    pattern: TYPE_PATTERN,
    example: 'architecture_planning',
  })
  agent_type: string;

  @TextListField({
    about: 'Stages that have to complete before it starts; it is given their output.',
    max: MAX_STAGES,
    maxLength: 128,
    default: [],
    example: ['requirement_analysis'],
  })
  dependencies: string[];

  @IntField({
    about: 'Seconds from claim to finish, per attempt.',
    min: 1,
    max: MAX_TIMEOUT,
    default: 3600,
    example: 180,
  })
  timeout?: number;

  @ChoiceField({ about: 'Claims go by priority, then age.', values: PRIORITIES, default: 'normal' })
  priority?: Priority;

  @TextListField({
    about: 'Capabilities its agent must have.',
    max: 50,
    maxLength: 128,
    optional: true,
    example: ['react'],
  })
  required_capabilities?: string[];

  @NestedField(() => RetryPolicyDto, { about: 'What happens when an attempt fails.', optional: true })
  retry_policy?: RetryPolicyDto;

  @TextField({
    about:
      'Type of the agents that undo it, when the workflow fails and its failure_strategy is compensate; their input is `{workflow, stage, input, output}`.',
    max: 128,
    pattern: TYPE_PATTERN,
    optional: true,
    example: 'architecture_removal',
  })
  compensation?: string;

  @JsonField({
    about: 'Handed to its agent as `input`, beside `workflow` and `stages`.',
    optional: true,
    example: { style: 'layered' },
  })
  input?: Record<string, unknown>;
}

export class WorkflowConfigurationDto {
  @BooleanField({
    about: 'false: one stage at a time, in topological, then listed, order.',
    default: DEFAULT_CONFIGURATION.parallel_execution,
    example: false,
  })
  parallel_execution: boolean;

  @ChoiceField({
    about:
      'When a stage fails. stop_on_error: running stages are cancelled, the rest is skipped. continue_on_error: only what depends on it is skipped. compensate: as stop_on_error; then completed stages that name a `compensation` are undone, one at a time, in reverse order, each with its retry policy; one that cannot be undone is told, and the rest goes on.',
    values: FAILURE_STRATEGIES,
    default: DEFAULT_CONFIGURATION.failure_strategy,
    example: 'stop_on_error',
  })
  failure_strategy: FailureStrategy;
}

export class CreateWorkflowDto {
  @IdField({
    about: 'Chosen by you it is an idempotency key; left out, a UUIDv7 is made.',
    optional: true,
    example: 'workflow-123',
  })
  id?: string;

  @IdField({
    about: 'Project of the workflow, for tokens that see all projects.',
    optional: true,
    example: 'proj-456',
  })
  project_id?: string;

  @TextField({ about: 'For people.', max: 256, example: 'Full Stack App Generation' })
  name: string;

  @NestedListField(() => CreateStageDto, {
    about: 'They may be listed in any order; dependencies must not form a cycle.',
    min: 1,
    max: MAX_STAGES,
    example: SEED_STAGES,
  })
  stages: CreateStageDto[];

  @NestedField(() => WorkflowConfigurationDto, {
    about: 'How the stages are run.',
    optional: true,
    example: { parallel_execution: false, failure_strategy: 'stop_on_error' },
  })
  configuration?: WorkflowConfigurationDto;

  @IntField({
    about:
      'Seconds in which the workflow has to end, paused or not; then its stages are stopped as by a failure. Without it, it may take as long as it likes.',
    min: 1,
    max: MAX_TIMEOUT,
    optional: true,
    example: 86_400,
  })
  timeout?: number;

  @JsonField({
    about: 'Handed to every stage as `workflow`.',
    optional: true,
    example: { entities: ['User', 'Product', 'Order'] },
  })
  input_data?: Record<string, unknown>;

  @TextField({ about: 'Carried by all its events and tasks; default: its id.', max: 128, optional: true })
  correlation_id?: string;

  @JsonField({ about: 'Yours; Parley only keeps it.', optional: true })
  metadata?: Record<string, unknown>;
}
