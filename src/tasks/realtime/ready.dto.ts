import { IntField } from '../../platform/http/fields.js';

export class ReadyDto {
  @IntField({
    about: 'Tasks that may be held through this socket; a standing limit, 0 stops.',
    min: 0,
    max: 1000,
    example: 5,
  })
  capacity: number;
}
