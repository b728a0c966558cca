import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { databaseAway, isConnectionLost } from './postgres-errors.js';

const PATIENCE_MS = 5_000;
const RETRY_MS = 100;
const FAREWELL_MS = 1_000;

/** One connection that is opened when it is needed and opened again when it broke. */
export class LaneClient {
  private client: pg.Client | undefined;

  constructor(private readonly settings: () => pg.ClientConfig) {}

  /** The open connection. While Postgres is away it keeps trying for 5 s, then throws 503. */
  async open(): Promise<pg.Client> {
    const giveUpAt = Date.now() + PATIENCE_MS;
    while (this.client === undefined) {
      const client = new pg.Client(this.settings());
      client.on('error', () => this.forget(client));
      client.on('end', () => this.forget(client));
      try {
        await client.connect();
        this.client = client;
      } catch (error) {
        await client.end().catch(() => {});
        if (!isConnectionLost(error)) throw error;
        if (Date.now() > giveUpAt) throw databaseAway();
        await delay(RETRY_MS);
      }
    }
    return this.client;
  }

  /** Drops a connection whose state nobody knows. */
  async discard(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    // A connection that says nothing does not say goodbye either.
    await Promise.race([client?.end().catch(() => {}), delay(FAREWELL_MS, undefined, { ref: false })]);
  }

  private forget(client: pg.Client): void {
    if (this.client === client) this.client = undefined;
  }
}
