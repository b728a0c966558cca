import { ChoiceField, IntField, JsonField, TextListField } from '../platform/http/fields.js';
import { ID_PATTERN } from '../shared/ids.js';

/** The same over HTTP and over a socket. */
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
