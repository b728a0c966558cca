import { CursorField } from '../platform/http/fields.js';
import { eventCursorCheck } from './domain/cursor.js';

/** The same over HTTP and over a socket. */
export class AckDto {
  @CursorField({
    about: 'Cursor of the newest event that has come: it and all before it are acknowledged.',
    check: eventCursorCheck,
  })
  cursor: string;
}
