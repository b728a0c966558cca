import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { AppConfig } from '../../../config/app-config.js';
import { Database } from '../../platform/database/database.js';
import { type Transaction, Transactor } from '../../platform/database/transactor.js';
import { newId } from '../../platform/new-id.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import type { LoggedEvent } from '../../shared/domain-event.js';
import { Envelopes } from '../envelope.js';
import { EventLog } from '../event-log.js';
import { EventRouter } from '../event-router.js';
import {
  ANY_WEBHOOK,
  type Copy,
  insertWebhooks,
  LOCK_CURSOR,
  moveCursor,
  type Outgoing,
  PASS_OVER,
  WEBHOOKS,
  type WebhookRow,
  WEBHOOKS_MARK,
} from '../persistence/fan-out-rows.js';
import { Webhooks } from '../webhooks.js';
import { DeliverySweep } from './delivery.sweep.js';

const SWEEP_MS = 1_000;
/** What happens within this time goes together. */
const GATHER_MS = 25;
const PAGE = 500;
/** One transaction writes so many deliveries and bytes of bodies, or those of one event. */
const PER_BATCH = 1_000;
const BATCH_BYTES = 4 * 1024 * 1024;

/**
 * Makes deliveries of the events that webhooks want. One process at a time reads the log on, from the one cursor that all
 * webhooks share; the deliveries and the cursor are written together, so none is missed and none is made twice.
 */
@Injectable()
export class WebhookFanOut implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(WebhookFanOut.name);
  private webhooks: Webhooks;
  /** There was a webhook at the last look; while there is none, events wake nobody. */
  private isWanted = false;
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  private stopped = false;

  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly transactor: Transactor,
    private readonly log: EventLog,
    private readonly router: EventRouter,
    private readonly envelopes: Envelopes,
    private readonly deliveries: DeliverySweep,
    private readonly sweeps: Sweeps,
  ) {
    this.webhooks = new Webhooks([], '', envelopes);
  }

  onModuleInit(): void {
    if (this.config.runsWork) this.router.onEvents(() => this.wake());
    this.sweeps.every('webhook-fan-out', SWEEP_MS, async () => {
      await this.look();
      return false;
    });
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.looking?.catch(() => {});
  }

  private wake(): void {
    if (!this.isWanted || this.timer !== undefined || this.stopped) return;
    this.timer = setTimeout(() => void this.lookAnew(), GATHER_MS);
  }

  /** A look that is under way may have passed the news already. */
  private async lookAnew(): Promise<void> {
    try {
      await this.looking?.catch(() => {});
      this.timer = undefined;
      await this.look();
    } catch (error) {
      this.logger.debug(`webhooks wait: ${String(error)}`);
    }
  }

  /** Reads the log on, to its end. */
  look(): Promise<void> {
    this.looking ??= this.readOn().finally(() => (this.looking = undefined));
    return this.looking;
  }

  private async readOn(): Promise<void> {
    const [state] = await this.database.query<{ isWanted: boolean; end: number }>(ANY_WEBHOOK);
    this.isWanted = state?.isWanted === true;
    if (!this.isWanted) {
      await this.database.query(PASS_OVER, [state?.end ?? 0]);
      return;
    }
    while (!this.stopped && (await this.page()));
  }

  /** @returns whether there may be more */
  private page(): Promise<boolean> {
    return this.transactor.run(async (tx) => {
      const [cursor] = await tx.query<{ pos: number }>(LOCK_CURSOR);
      if (cursor === undefined) return false;
      const { pos } = await this.log.resumeAt(cursor.pos);
      const { events, ended } = await this.log.after(pos, PAGE);
      // Read after the events: a subscription that was made before one of them is among these.
      const webhooks = await this.present(tx);
      const { told, outgoing, copies } = this.gather(webhooks, events);
      for (let from = 0; from < copies.length; from += PER_BATCH)
        tx.write(insertWebhooks(outgoing, copies.slice(from, from + PER_BATCH)));
      const reached = events[told - 1]?.pos ?? pos;
      if (reached !== cursor.pos) tx.write(moveCursor(reached));
      const [first] = copies;
      if (first !== undefined) tx.afterCommit(() => this.deliveries.announce(first.id));
      return !ended || told < events.length;
    });
  }

  private async present(tx: Transaction): Promise<Webhooks> {
    const [row] = await tx.query<{ mark: string }>(WEBHOOKS_MARK);
    const mark = row?.mark ?? '';
    // What comes between the two reads is met again under its own mark.
    if (mark !== this.webhooks.mark)
      this.webhooks = new Webhooks(await tx.query<WebhookRow>(WEBHOOKS), mark, this.envelopes);
    return this.webhooks;
  }

  /** As much of a page as one transaction should write. `told`: of how many events. */
  private gather(
    webhooks: Webhooks,
    events: readonly LoggedEvent[],
  ): { readonly told: number; readonly outgoing: Outgoing[]; readonly copies: Copy[] } {
    const outgoing: Outgoing[] = [];
    const copies: Copy[] = [];
    let bytes = 0;
    for (const [index, event] of events.entries()) {
      if (copies.length >= PER_BATCH || bytes >= BATCH_BYTES) return { told: index, outgoing, copies };
      const wanting = webhooks.wanting(event);
      if (wanting.length === 0) continue;
      const body = JSON.stringify(this.envelopes.of(event));
      bytes += body.length;
      const place = outgoing.push({ eventId: event.id, body }) - 1;
      for (const webhook of wanting) copies.push({ id: newId(), webhook, event: place });
    }
    return { told: events.length, outgoing, copies };
  }
}
