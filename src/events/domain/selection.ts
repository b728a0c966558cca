import { ANY_PROJECT } from '../../shared/ids.js';
import type { EventFilter } from './event-filter.js';

/** What a reader of the log wants: topics, what any of several selections of topics wants, or what is in a mailbox. */
export type Selection = TopicSelection | AnySelection | MailboxSelection;

/** Topics of one project (`*`: of all). */
export interface TopicSelection {
  readonly projectId: string;
  readonly patterns: readonly string[];
  readonly filter: EventFilter;
  /** Only what has this correlation id. */
  readonly correlationId?: string | undefined;
}

/** Read together, what they want comes in one order. */
export interface AnySelection {
  readonly anyOf: readonly TopicSelection[];
}

export interface MailboxSelection {
  /** The row key of the agent whose it is. */
  readonly mailbox: string;
}

/** The part of the log that holds all of what topics are wanted of: one project and one correlation id, or (null) any. */
export function reachOf(wanted: readonly TopicSelection[]): {
  readonly projectId: string | null;
  readonly correlationId: string | null;
} {
  const only = (values: readonly (string | undefined)[]): string | null =>
    new Set(values).size === 1 ? (values[0] ?? null) : null;
  return {
    projectId: only(wanted.map(({ projectId }) => (projectId === ANY_PROJECT ? undefined : projectId))),
    correlationId: only(wanted.map(({ correlationId }) => correlationId)),
  };
}
