import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Database } from '../../platform/database/database.js';
import { ServerPulse } from '../../platform/database/server-pulse.js';
import { type Transaction, Transactor } from '../../platform/database/transactor.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import { type AgentRequest, decideRequest } from '../domain/request.js';
import { ANY_DUE_REQUEST, CREDIT_REQUESTS, LOCK_DUE_REQUESTS } from '../persistence/request-rows.js';
import { RequestEnds } from '../request-ends.js';
import { recordEnd } from '../request-events.js';

const SWEEP_MS = 250;
const PER_LOOK = 500;

/** Ends requests that nobody has answered in time, by the database's clock. */
@Injectable()
export class RequestDeadlineSweep implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly transactor: Transactor,
    private readonly sweeps: Sweeps,
    private readonly pulse: ServerPulse,
    private readonly ends: RequestEnds,
  ) {}

  onModuleInit(): void {
    this.pulse.onOutage(async (tx, seconds) => {
      await tx.query(CREDIT_REQUESTS, [seconds]);
    });
    this.sweeps.every('request-deadlines', SWEEP_MS, () => this.look());
  }

  private async look(): Promise<boolean> {
    // Most looks find nothing, and a read costs less than a transaction.
    if ((await this.database.query(ANY_DUE_REQUEST)).length === 0) return false;
    return this.transactor.run((tx) => this.endDue(tx));
  }

  private async endDue(tx: Transaction): Promise<boolean> {
    const due = await tx.query<AgentRequest>(LOCK_DUE_REQUESTS, [tx.now, PER_LOOK]);
    const ended = due.map((request) => decideRequest(request, { kind: 'time_out' }, tx.now));
    for (const request of ended) recordEnd(tx, request);
    if (ended.length > 0) this.ends.write(tx, ended);
    return due.length === PER_LOOK;
  }
}
