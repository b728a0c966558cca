import { CursorField, IdField, IntField, TextField, TimeField } from './fields.js';
import { pageCursorCheck } from './page.js';

/** How every list is paged; newest first. */
export class PageQuery {
  @IntField({ about: 'Items per page.', min: 1, max: 200, default: 50 })
  limit: number;

  @CursorField({ about: '`next_cursor` of the page before.', check: pageCursorCheck, optional: true })
  cursor?: string;

  @TimeField({
    about: 'Only what was created after this time.',
    optional: true,
    example: '2025-01-15T12:00:00Z',
  })
  created_after?: string;

  @TimeField({
    about: 'Only what was created before this time.',
    optional: true,
    example: '2025-01-16T12:00:00Z',
  })
  created_before?: string;
}

/** What every list of work understands (CONTRACT §1); a list with filters of its own extends it. */
export class ListQuery extends PageQuery {
  @TextField({ about: 'Only what has this correlation id.', max: 128, optional: true })
  correlation_id?: string;

  @IdField({ about: 'Only this project, for tokens that see all.', optional: true, example: 'proj-456' })
  project_id?: string;
}
