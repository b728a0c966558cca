import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Database } from '../../platform/database/database.js';
import { type Transaction, Transactor } from '../../platform/database/transactor.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import { messageExpired } from '../message-events.js';
import {
  ANY_MESSAGE_OVER,
  LOCK_MESSAGES_OVER,
  type OverRow,
  settleMessages,
} from '../persistence/message-rows.js';

const SWEEP_MS = 250;
const PER_LOOK = 500;

/** Ends the time to live of messages, by the database's clock: what its target has not acknowledged by then expires. */
@Injectable()
export class MessageExpirySweep implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly transactor: Transactor,
    private readonly sweeps: Sweeps,
  ) {}

  onModuleInit(): void {
    this.sweeps.every('message-expiry', SWEEP_MS, () => this.look());
  }

  private async look(): Promise<boolean> {
    // Most looks find nothing, and a read costs less than a transaction.
    if ((await this.database.query(ANY_MESSAGE_OVER)).length === 0) return false;
    return this.transactor.run((tx) => this.settleDue(tx));
  }

  private async settleDue(tx: Transaction): Promise<boolean> {
    const over = await tx.query<OverRow>(LOCK_MESSAGES_OVER, [tx.now, PER_LOOK]);
    for (const message of over) {
      if (!message.acknowledged) tx.record(messageExpired(message, tx.now));
    }
    if (over.length > 0) tx.write(settleMessages(over, tx.now));
    return over.length === PER_LOOK;
  }
}
