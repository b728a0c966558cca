import { ChoiceField, IdField, IntField } from '../../platform/http/fields.js';
import { ListQuery } from '../../platform/http/list-query.dto.js';
import { WORKFLOW_STATUSES } from '../../shared/words.js';

export class WorkflowListQuery extends ListQuery {
  @ChoiceField({ about: 'Only workflows in this state.', values: WORKFLOW_STATUSES, optional: true })
  status?: string;
}

export class WorkflowResultQuery {
  @IntField({ about: 'Milliseconds to wait for the end.', min: 0, max: 25_000, default: 0 })
  wait_ms: number;

  @IdField({ about: 'Project, for tokens that see all.', optional: true })
  project_id?: string;
}
