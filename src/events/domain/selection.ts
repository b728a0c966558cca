import type { EventFilter } from './event-filter.js';

/** What a reader of the log wants: topics of one project (`*`: of all), or what is in a mailbox. */
export type Selection = TopicSelection | MailboxSelection;

export interface TopicSelection {
  readonly projectId: string;
  readonly patterns: readonly string[];
  readonly filter: EventFilter;
}

export interface MailboxSelection {
  /** The row key of the agent whose it is. */
  readonly mailbox: string;
}
