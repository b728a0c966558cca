import {
  ChoiceField,
  IdField,
  IntField,
  JsonField,
  NestedField,
  TextField,
  TextListField,
  TimeField,
} from '../../platform/http/fields.js';
import { ListQuery } from '../../platform/http/list-query.dto.js';
import { AGENT_STATUSES, HEALTHS } from '../../shared/words.js';
import type { AgentStatus, Health } from '../domain/agent.js';
import { AgentCredentialsDto } from './agent-answers.dto.js';

/** An agent as it is answered (CONTRACT §3). */
export class AgentDto {
  @IdField({ about: 'Unique in its project.', example: 'agent-001' })
  id: string;

  @TextField({ about: 'Project it serves; `*`: every one.', max: 128, example: 'proj-456' })
  project_id: string;

  @TextField({ about: 'It gets tasks of this `agent_type`.', max: 128, example: 'code_generation' })
  type: string;

  @TextField({ about: 'For people.', max: 200, nullable: true, example: 'Code Generator' })
  name: string | null;

  @TextField({ about: 'Of its program.', max: 100, nullable: true, example: '1.0.0' })
  version: string | null;

  @TextListField({
    about: 'What it can do.',
    max: 100,
    maxLength: 128,
    example: ['javascript', 'python', 'react'],
  })
  capabilities: readonly string[];

  @TextField({ about: 'As registered.', max: 2048, nullable: true, example: 'http://agent-001:8080/health' })
  health_check_url: string | null;

  @JsonField({
    about: 'As registered.',
    example: { max_concurrent_tasks: 5, supported_frameworks: ['express', 'fastapi', 'react'] },
  })
  configuration: Readonly<Record<string, unknown>>;

  @JsonField({ about: 'As registered.', nullable: true })
  metadata: Readonly<Record<string, unknown>> | null;

  @ChoiceField({
    about:
      'busy: it holds as much as it may. draining: it gets no more. suspect: half a lease without a call. offline: a whole one.',
    values: AGENT_STATUSES,
    example: 'active',
  })
  status: AgentStatus;

  @ChoiceField({
    about: 'What its health check says; it withholds no work.',
    values: HEALTHS,
    example: 'unknown',
  })
  health: Health;

  @TextField({
    about: 'Why it is not healthy, or why nobody could ask.',
    max: 2000,
    nullable: true,
    example: null,
  })
  health_reason: string | null;

  @IntField({ about: 'Registrations so far.', min: 1, max: 2_147_483_647, example: 1 })
  session_epoch: number;

  @TimeField({ about: 'Its own last call.', example: '2025-01-15T12:00:00.000Z' })
  last_seen: string;

  @IntField({
    about: 'Tasks it holds, by the server’s own count.',
    min: 0,
    max: 2_147_483_647,
    example: 3,
  })
  current_tasks: number;

  @JsonField({
    about: 'As its last heartbeat that had some said.',
    nullable: true,
    example: { cpu_usage: 45.2, memory_usage: 67.8, task_queue_size: 12 },
  })
  performance_metrics: Readonly<Record<string, unknown>> | null;

  @TimeField({ about: 'First registration.', example: '2025-01-15T12:00:00.000Z' })
  created_at: string;

  @TimeField({
    about: 'Last change of what is registered, or of its status.',
    example: '2025-01-15T12:00:00.000Z',
  })
  updated_at: string;
}

export class RegisteredAgentDto extends AgentDto {
  @NestedField(() => AgentCredentialsDto, {
    about: 'For a new agent, or when `rotate_secret` asked for it.',
    optional: true,
  })
  credentials?: AgentCredentialsDto;
}

export class AgentsQuery extends ListQuery {
  @TextField({ about: 'Only this type.', max: 128, optional: true, example: 'code_generation' })
  type?: string;

  @ChoiceField({ about: 'Only this status.', values: AGENT_STATUSES, optional: true, example: 'active' })
  status?: AgentStatus;

  @TextField({ about: 'Only those that can do this.', max: 128, optional: true, example: 'react' })
  capability?: string;
}
