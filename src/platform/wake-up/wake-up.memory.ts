import { LocalDelivery } from './local-delivery.js';
import { WakeUp, type WakeUpHandler } from './wake-up.port.js';

/** For one process alone: the embedded PostgreSQL's. */
export class MemoryWakeUp extends WakeUp {
  private readonly local = new LocalDelivery();

  notify(channel: string, key?: string): void {
    this.local.add(channel, key === undefined ? [] : [key]);
  }

  on(channel: string, handler: WakeUpHandler): void {
    this.local.on(channel, handler);
  }
}
