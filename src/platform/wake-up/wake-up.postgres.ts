import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { DatabaseConnection } from '../database/database-connection.js';
import { newId } from '../new-id.js';
import { LocalDelivery } from './local-delivery.js';
import { decodeNotice, encodeNotices } from './notices.js';
import { WakeUp, type WakeUpHandler } from './wake-up.port.js';

const CHANNEL = 'parley_wake_up';
const LISTEN = `LISTEN ${CHANNEL}`;
const NOTIFY = `SELECT pg_notify('${CHANNEL}', payload) FROM unnest($1::text[]) AS payload`;
/** Hints to other processes are gathered for so long: every NOTIFY takes a lock over the whole database at its commit. */
const GATHER_MS = 20;
const RETRY_MS = 200;

/**
 * Between processes by LISTEN and NOTIFY, on a connection of its own; in this process at once. While the connection is
 * away, hints to and from others are lost; when it is back, everybody here is told to look.
 */
export class PostgresWakeUp extends WakeUp {
  private readonly local = new LocalDelivery();
  private readonly self = newId();
  private outgoing = new Map<string, Set<string>>();
  private client: pg.Client | undefined;
  private gathering: NodeJS.Timeout | undefined;
  private readonly closing = new AbortController();
  private staying: Promise<void> | undefined;

  constructor(private readonly connection: DatabaseConnection) {
    super();
  }

  notify(channel: string, key?: string): void {
    const keys = key === undefined ? [] : [key];
    this.local.add(channel, keys);
    const outgoing = this.outgoing.get(channel) ?? new Set();
    this.outgoing.set(channel, outgoing);
    for (const one of keys) outgoing.add(one);
    this.gathering ??= setTimeout(() => void this.send(), GATHER_MS);
  }

  on(channel: string, handler: WakeUpHandler): void {
    this.local.on(channel, handler);
  }

  /** Connects, and from then on connects again whenever the connection is lost. Resolves after the first try. */
  async open(): Promise<void> {
    const first = this.connect().catch(() => undefined);
    this.staying = this.stayConnected(first);
    await first;
  }

  async close(): Promise<void> {
    clearTimeout(this.gathering);
    await this.send();
    this.closing.abort();
    await this.client?.end().catch(() => {});
    await this.staying;
  }

  private async stayConnected(first: Promise<pg.Client | undefined>): Promise<void> {
    const { signal } = this.closing;
    let client = await first;
    while (!signal.aborted) {
      if (client !== undefined && client === this.client) await ended(client);
      await delay(RETRY_MS, undefined, { signal }).catch(() => {});
      if (!signal.aborted) client = await this.connect().catch(() => undefined);
    }
    // It may have connected while it was told to close.
    await this.client?.end();
  }

  private async connect(): Promise<pg.Client> {
    const client = new pg.Client(this.connection.direct('wake-up'));
    client.on('error', () => {});
    client.on('end', () => {
      if (this.client === client) this.client = undefined;
    });
    client.on('notification', ({ payload = '' }) => this.hear(payload));
    try {
      await client.connect();
      await client.query(LISTEN);
    } catch (error) {
      await client.end().catch(() => {});
      throw error;
    }
    this.client = client;
    // What was told while nobody listened is found by looking.
    this.local.addAll();
    return client;
  }

  private hear(payload: string): void {
    const notice = decodeNotice(payload);
    if (notice !== undefined && notice.from !== this.self) this.local.add(notice.channel, notice.keys);
  }

  private async send(): Promise<void> {
    this.gathering = undefined;
    const outgoing = this.outgoing;
    this.outgoing = new Map();
    const payloads = [...outgoing].flatMap(([channel, keys]) => encodeNotices(this.self, channel, keys));
    if (payloads.length === 0) return;
    // A hint that cannot be sent now is lost: who missed it looks by himself.
    await this.client?.query(NOTIFY, [payloads]).catch(() => {});
  }
}

function ended(client: pg.Client): Promise<void> {
  return new Promise((resolve) => client.once('end', () => resolve()));
}
