import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { AppConfig } from '../../../config/app-config.js';
import { Database } from '../../platform/database/database.js';
import { type Transaction, Transactor } from '../../platform/database/transactor.js';
import { JobQueue } from '../../platform/job-queue/job-queue.port.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import { rowKey } from '../../shared/ids.js';
import { DeliveryTry } from '../delivery-try.js';
import type { Verdict } from '../domain/delivery.js';
import { HostRooms } from '../host-rooms.js';
import {
  disableSubscription,
  type DueDelivery,
  failPending,
  handBack,
  settleTry,
  TAKE_DUE,
} from '../persistence/delivery-rows.js';
import { systemAlert } from '../system-alert.js';
import { type Signer, WebhookSecrets } from '../webhook-secrets.port.js';

const QUEUE = 'deliveries';
const SWEEP_MS = 1_000;
/** Tries that one process has under way, and those of them to one host: a dead one takes all the patience of each. */
const AT_ONCE = 64;
const PER_HOST = 8;

/**
 * Tries what is due, at least once each, also after a `kill -9`: a try is written down before it is made, for as long as
 * it may take. A job wakes it for each try; without jobs the sweep finds the same a second later. The truth is
 * `deliveries.attempt` and `deliveries.next_attempt_at`.
 */
@Injectable()
export class DeliverySweep implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(DeliverySweep.name);
  private readonly running = new Set<Promise<void>>();
  private readonly rooms = new HostRooms(PER_HOST);
  private readonly stop = new AbortController();
  private looking: Promise<void> | undefined;
  private lookAgain = false;
  /** There may be more than the last look took: whoever ends makes the next. */
  private more = false;
  /** The host at which the last look had to end. */
  private place = '';

  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly transactor: Transactor,
    private readonly secrets: WebhookSecrets,
    private readonly tries: DeliveryTry,
    private readonly jobs: JobQueue,
    private readonly sweeps: Sweeps,
  ) {}

  onModuleInit(): void {
    this.jobs.process(QUEUE, () => this.look());
    this.sweeps.every('deliveries', SWEEP_MS, async () => {
      await this.look();
      return false;
    });
  }

  async onModuleDestroy(): Promise<void> {
    this.stop.abort();
    await this.looking?.catch(() => {});
    await Promise.all(this.running);
  }

  /** There is a new delivery, or several: they are tried at once, by a process that does work. Call it after the commit. */
  announce(id: string): void {
    if (this.config.runsWork) this.lookSoon();
    else this.arrange(id, 0, new Date());
  }

  /** One job per try. */
  private arrange(id: string, attempt: number, dueAt: Date): void {
    void this.jobs.add(QUEUE, { id: `${id}_${attempt}`, data: { id, attempt }, dueAt });
  }

  /** It fails while Postgres is away, and then the sweep looks again. */
  private lookSoon(): void {
    this.look().catch((error: unknown) => this.logger.debug(`deliveries wait: ${String(error)}`));
  }

  /** Begins what is due, as far as there is room, and does not wait for it. */
  private look(): Promise<void> {
    if (this.looking !== undefined) this.lookAgain = true;
    this.looking ??= this.begin().finally(() => {
      this.looking = undefined;
      if (this.lookAgain) this.lookSoon();
    });
    return this.looking;
  }

  private async begin(): Promise<void> {
    this.lookAgain = false;
    const isFromStart = this.place === '';
    const room = AT_ONCE - this.running.size;
    const { hosts, left } = this.rooms.taken();
    // What there was no room for is looked for when there is.
    this.more = room <= 0 || left.includes(0);
    if (room <= 0 || this.stop.signal.aborted) return;
    const due = await this.database.query<DueDelivery>(TAKE_DUE, [this.place, room, hosts, left, PER_HOST]);
    this.more ||= due.length > 0;
    // Whoever was not reached is the first the next time.
    this.place = due.length < room ? '' : due.reduce((last, { host }) => (host > last ? host : last), '');
    if (due.length < room && !isFromStart) this.lookAgain = true;
    if (due.length === 0) return;
    const secrets = await this.secrets.find(due.map(signerOf));
    for (const one of due) this.start(one, secrets.get(rowKey(one.agent_project, one.agent_id)));
  }

  private start(delivery: DueDelivery, secret: string | undefined): void {
    const leave = this.rooms.enter(delivery.host);
    const run = this.tries
      .make(delivery, secret, this.stop.signal)
      .then((verdict) => this.settle(delivery, verdict))
      .catch((error: unknown) =>
        this.logger.warn(`what came of delivery ${delivery.id} is not known: ${String(error)}`),
      )
      .finally(() => {
        this.running.delete(run);
        leave();
        if (this.more) this.lookSoon();
      });
    this.running.add(run);
  }

  private async settle(delivery: DueDelivery, verdict: Verdict | undefined): Promise<void> {
    if (verdict === undefined) {
      const { values, ...sql } = handBack(delivery);
      await this.database.query(sql, values);
      return;
    }
    const { values, ...sql } = settleTry(delivery, verdict);
    if (verdict.status === 'failed' && verdict.gone && delivery.subscription_id !== null) {
      const { subscription_id: id } = delivery;
      await this.transactor.run(async (tx) => {
        await tx.query(sql, values);
        await this.disable(tx, id, delivery, verdict.error);
      });
      return;
    }
    const [settled] = await this.database.query<{ next_attempt_at: string | null }>(sql, values);
    const next = settled?.next_attempt_at ?? null;
    if (next !== null) this.arrange(delivery.id, delivery.attempt + 1, new Date(next));
  }

  /** Who looks after the system hears of it, once. */
  private async disable(
    tx: Transaction,
    subscription: string,
    { project_id: projectId, agent_id: agentId, url }: DueDelivery,
    reason: string,
  ): Promise<void> {
    const { values, ...sql } = disableSubscription(subscription, projectId, reason);
    const isNew = (await tx.query(sql, values)).length > 0;
    tx.write(failPending(subscription, projectId, reason));
    if (!isNew) return;
    const alert = {
      projectId,
      severity: 'warning',
      message: `The webhook of subscription '${subscription}' is disabled: ${reason}. Subscribe again with a URL that answers.`,
      details: {
        reason: 'webhook_disabled',
        subscription_id: subscription,
        agent_id: agentId,
        webhook_url: url,
      },
    } as const;
    tx.record(systemAlert(alert, tx.now));
  }
}

function signerOf({ agent_id: id, agent_project: projectId }: DueDelivery): Signer {
  return { id, projectId };
}
