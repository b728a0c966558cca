/**
 * The place in the log up to which everything is known here. Taken before a read and sent with its answer
 * (`X-Event-Cursor`), it lets a client subscribe so that nothing falls between snapshot and stream.
 */
export abstract class EventCursor {
  /** Opaque. */
  abstract current(): string;
}
