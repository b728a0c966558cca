import {
  ChoiceField,
  IdField,
  IntField,
  TextField,
  TextListField,
  TimeField,
} from '../../platform/http/fields.js';
import { AGENT_STATUSES } from '../../shared/words.js';
import type { AgentStatus } from '../domain/agent.js';

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
    about:
      'Tasks that it does not hold any more, whether `task_ids` names them or not (cancelled, timed out, given to another): it may stop working on them. Repeated for about a lease.',
    max: 2000,
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
