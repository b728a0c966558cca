import {
  ChoiceField,
  IdField,
  IntField,
  JsonField,
  TextField,
  TextListField,
  TimeField,
} from '../../platform/http/fields.js';
import { ID_PATTERN } from '../../shared/ids.js';
import { AGENT_STATUSES, type AgentStatus } from '../domain/agent.js';

export class HeartbeatDto {
  @ChoiceField({
    about: 'What the agent thinks of itself; its load is counted by the server.',
    values: ['active', 'busy'],
    optional: true,
    example: 'active',
  })
  status?: 'active' | 'busy';

  @IntField({
    about: 'What the agent thinks it holds; the server counts by itself.',
    min: 0,
    max: 1_000_000,
    optional: true,
    example: 3,
  })
  current_tasks?: number;

  @JsonField({
    about: 'Shown with the agent, until it sends others.',
    optional: true,
    example: { cpu_usage: 45.2, memory_usage: 67.8, task_queue_size: 12 },
  })
  performance_metrics?: Record<string, unknown>;

  @IntField({
    about: 'The session that calls, as its registration answered.',
    min: 1,
    max: 2_147_483_647,
    optional: true,
  })
  session_epoch?: number;

  @TextListField({
    about: 'Tasks it works on. Started ones live with the agent; these live on too, started or not.',
    max: 1000,
    maxLength: 128,
    pattern: ID_PATTERN,
    optional: true,
  })
  task_ids?: string[];
}

export class HeartbeatAnswerDto {
  @IdField({ about: 'The agent.', example: 'agent-001' })
  agent_id: string;

  @ChoiceField({ about: 'By the server’s own count.', values: AGENT_STATUSES, example: 'active' })
  status: AgentStatus;

  @IntField({ about: 'Its present session.', min: 1, max: 2_147_483_647, example: 1 })
  session_epoch: number;

  @TimeField({ about: 'Without a further call it is offline then, and what it holds is offered again.' })
  lease_expires_at: string;

  @IntField({ about: 'Seconds.', min: 1, max: 3600, example: 30 })
  next_heartbeat_in: number;

  @TextListField({
    about: 'Those of `task_ids` that it does not hold any more: it may stop working on them.',
    max: 1000,
    maxLength: 128,
    example: [],
  })
  revoked_tasks: string[];
}

export class AgentCredentialsDto {
  @TextField({ about: 'For `POST /api/v1/auth/token`.', max: 300, example: 'proj-456/agent-001' })
  client_id: string;

  @TextField({ about: 'Shown this once.', max: 100 })
  client_secret: string;

  @TextField({
    about: 'Signs what is delivered to the agent (Standard Webhooks). Shown this once.',
    max: 100,
    example: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  })
  webhook_secret: string;
}
