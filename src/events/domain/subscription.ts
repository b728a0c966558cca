import type { EventFilter } from './event-filter.js';
import type { TopicSelection } from './selection.js';
import { canonicalTopic } from './topic-pattern.js';

/** Of one agent, whatever they are delivered to. */
export const SUBSCRIPTIONS_PER_AGENT = 100;

/** A subscription that is kept: it tells an agent what matches, until it is deleted. */
export interface StoredSubscription {
  readonly id: string;
  /** Whose events it tells; `*` for those of all projects. */
  readonly project_id: string;
  readonly agent_id: string;
  /** The project of the agent. */
  readonly agent_project: string;
  readonly topics: readonly string[];
  readonly filters: EventFilter;
  /** Where its events are sent; null: to its agent's sockets. */
  readonly webhook_url: string | null;
  /** The end of the log when it was made. */
  readonly from_pos: number;
  readonly disabled_at: string | null;
  readonly disabled_reason: string | null;
  readonly created_at: string;
}

/** What a subscription tells of the log. */
export function selectionOf(
  subscription: Pick<StoredSubscription, 'project_id' | 'topics' | 'filters'>,
): TopicSelection {
  return {
    projectId: subscription.project_id,
    patterns: subscription.topics.map(canonicalTopic),
    filter: subscription.filters,
  };
}
