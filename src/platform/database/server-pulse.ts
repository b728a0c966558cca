import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleInit } from '@nestjs/common';
import { Sweeps } from '../sweeps/sweeps.js';
import { Database } from './database.js';
import { type Transaction, Transactor } from './transactor.js';

const BEAT_MS = 1_000;
/** Seconds without a beat of any process that make an outage. */
const OUTAGE_SECONDS = 5;

/**
 * True in SQL unless an outage of ours has not been credited yet. Every sweep that ends a lease or a deadline asks for
 * it in the same statement: then nothing expires between the end of an outage and its credit.
 */
export const NO_OUTAGE = `(SELECT beat_at FROM server_pulse) > clock_timestamp() - interval '${OUTAGE_SECONDS} s'`;

/** Adds `seconds`, of whole milliseconds as all times are, to what would have passed during the outage, in the transaction that marks the outage as credited. */
export type Credit = (tx: Transaction, seconds: number) => Promise<void>;

/** Of many processes that beat, one a second is enough. Answers with the silence before this beat, in seconds. */
const BEAT = {
  name: 'pulse-beat',
  text: `
    WITH beat AS (
      UPDATE server_pulse SET beat_at = clock_timestamp()
      WHERE beat_at BETWEEN clock_timestamp() - interval '${OUTAGE_SECONDS} s' AND clock_timestamp() - interval '0.7 s')
    SELECT extract(epoch FROM clock_timestamp() - beat_at)::float8 AS silence FROM server_pulse`,
};

const LOCK_PULSE = { name: 'pulse-lock', text: 'SELECT FROM server_pulse FOR UPDATE' };

const SILENCE = {
  name: 'pulse-silence',
  text: 'SELECT ceil(extract(epoch FROM clock_timestamp() - beat_at) * 1000)::float8 / 1000 AS silence FROM server_pulse',
};

const RESUME = { name: 'pulse-resume', text: 'UPDATE server_pulse SET beat_at = clock_timestamp()' };

/**
 * The heartbeat of the servers. While none of them can reach Postgres, no agent can prove that it is alive: that is
 * our outage and nobody's fault. So any process touches one row each second, and who finds it older than 5 s credits
 * exactly that time to every lease, once, under the row's lock. The first beat, at boot, sees a server that was down.
 */
@Injectable()
export class ServerPulse implements OnModuleInit, OnApplicationBootstrap {
  private readonly logger = new Logger(ServerPulse.name);
  private readonly credits: Credit[] = [];

  constructor(
    private readonly database: Database,
    private readonly transactor: Transactor,
    private readonly sweeps: Sweeps,
  ) {}

  /** Call it in `onModuleInit`: the first beat comes after that. */
  onOutage(credit: Credit): void {
    this.credits.push(credit);
  }

  onModuleInit(): void {
    this.sweeps.every('pulse', BEAT_MS, () => this.beat(), 'everywhere');
  }

  async onApplicationBootstrap(): Promise<void> {
    try {
      await this.beat();
    } catch (error) {
      // The next beat tries again, and until then nothing expires.
      this.logger.warn(`the first beat failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private async beat(): Promise<false> {
    const [row] = await this.database.query<{ silence: number }>(BEAT);
    if (row !== undefined && row.silence >= OUTAGE_SECONDS) await this.endOutage();
    return false;
  }

  private async endOutage(): Promise<void> {
    const credited = await this.transactor.run(async (tx) => {
      await tx.query(LOCK_PULSE);
      const [row] = await tx.query<{ silence: number }>(SILENCE);
      // Another process was faster.
      if (row === undefined || row.silence < OUTAGE_SECONDS) return 0;
      for (const credit of this.credits) await credit(tx, row.silence);
      tx.write(RESUME);
      return row.silence;
    });
    if (credited > 0) {
      this.logger.log(
        `nobody could reach us for ${credited.toFixed(1)} s; every lease lasts that much longer`,
      );
    }
  }
}
