import { IdField, JsonField, TextField, TextListField } from '../../platform/http/fields.js';

export class SubscribeDto {
  @TextListField({
    about: 'Topic patterns.',
    min: 1,
    max: 50,
    maxLength: 512,
    example: ['task.*.completed', 'workflow.#'],
  })
  topics: string[];

  @JsonField({
    about: 'Field → value or list of values, of the payload, then of the envelope.',
    optional: true,
    example: { priority: ['high', 'critical'] },
  })
  filters?: Record<string, unknown>;

  @TextField({
    about: 'Cursor: replay from there, then live. Without it, live only.',
    max: 256,
    optional: true,
  })
  after?: string;
}

export class UnsubscribeDto {
  @IdField({ about: 'As `subscribe` answered.' })
  subscription_id: string;
}
