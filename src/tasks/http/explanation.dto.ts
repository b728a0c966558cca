import { ChoiceField, IdField, JsonField, TextField, TimeField } from '../../platform/http/fields.js';
import { TASK_STATUSES } from '../../shared/words.js';
import { RULES } from '../domain/rule.js';

/** Why a task is where it is. */
export class TaskExplanationDto {
  @IdField({ about: 'The task.' })
  task_id: string;

  @ChoiceField({ about: 'Its state.', values: TASK_STATUSES })
  status: string;

  @ChoiceField({
    about: 'What keeps it from running now; `unclaimed`: nothing but that no agent has asked for work.',
    values: RULES,
    example: 'dependency',
  })
  rule: string;

  @TextField({ about: 'The same for people.', max: 10_000 })
  message: string;

  @TimeField({ about: 'Since when that is so.', nullable: true })
  since: string | null;

  @TimeField({ about: 'When it ends by itself; null: not by time.', nullable: true })
  until: string | null;

  @TextField({ about: 'What would change it.', max: 1_000 })
  remedy: string;

  @JsonField({ about: 'The facts of the rule: which, how many.' })
  details: Readonly<Record<string, unknown>>;
}
