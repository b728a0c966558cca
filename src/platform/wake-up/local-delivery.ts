import type { WakeUpHandler } from './wake-up.port.js';

/** Hands hints to the handlers of this process: those of one turn of the event loop in one call per channel. */
export class LocalDelivery {
  private readonly handlers = new Map<string, WakeUpHandler[]>();
  private pending: Map<string, Set<string>> | undefined;

  on(channel: string, handler: WakeUpHandler): void {
    const handlers = this.handlers.get(channel);
    if (handlers === undefined) this.handlers.set(channel, [handler]);
    else handlers.push(handler);
  }

  add(channel: string, keys: Iterable<string>): void {
    if (this.pending === undefined) {
      this.pending = new Map();
      setImmediate(() => this.deliver());
    }
    const pending = this.pending.get(channel) ?? new Set();
    this.pending.set(channel, pending);
    for (const key of keys) pending.add(key);
  }

  /** Tells every handler to look, whatever was missed. */
  addAll(): void {
    for (const channel of this.handlers.keys()) this.add(channel, []);
  }

  private deliver(): void {
    const pending = this.pending ?? new Map<string, Set<string>>();
    this.pending = undefined;
    for (const [channel, keys] of pending) {
      for (const handler of this.handlers.get(channel) ?? []) handler(keys);
    }
  }
}
