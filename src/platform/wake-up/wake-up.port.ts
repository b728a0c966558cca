/** Called with the keys that were told since the last call. An empty set says: hints may have been lost, look anyway. */
export type WakeUpHandler = (keys: ReadonlySet<string>) => void;

/**
 * Tells every process, this one included, that there is news: "look now", never what to see.
 *
 * It promises little, so that it may be cheap. A hint may be lost (a connection broke, a process was not up yet), may come
 * twice and may come when nothing is new; what it hints at is in Postgres, and whoever listens also looks there from time
 * to time. Hints are coalesced: many of one channel come as one call with the set of their keys, each key once, in no
 * order. A hint is given after the commit of what it hints at, else who looks may look too early.
 */
export abstract class WakeUp {
  /**
   * Never throws, never waits.
   * @param key what is new there, a short text; a channel's hints either all have keys or none has
   */
  abstract notify(channel: string, key?: string): void;

  /** `handler` hears the channel until the application closes. It must not throw. */
  abstract on(channel: string, handler: WakeUpHandler): void;
}
