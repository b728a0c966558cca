/**
 * A fact that a decision produced, before the log gave it a position. `topic` is the event type with the task's or
 * agent's type put in (CONTRACT §6); `seq` is gapless per aggregate and assigned under the aggregate's row lock.
 */
export interface DomainEvent {
  readonly id: string;
  readonly projectId: string;
  readonly type: string;
  readonly topic: string;
  readonly aggregateId: string;
  readonly seq: number;
  readonly sourceAgent: string | null;
  readonly targetAgent: string | null;
  readonly correlationId: string;
  /** Database time, ISO 8601 UTC with milliseconds. */
  readonly timestamp: string;
  readonly payload: Readonly<Record<string, unknown>>;
  /** Whose mailbox it is in (the agent's row key); absent: in none. */
  readonly mailbox?: string | null;
  /** It is told to its mailbox alone: no topic, page or history shows it. */
  readonly isPrivate?: boolean;
}

/** An event that is committed: `pos` is its place in the one order of the log. */
export interface LoggedEvent extends DomainEvent {
  readonly pos: number;
}
