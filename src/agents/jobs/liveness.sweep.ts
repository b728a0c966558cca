import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppConfig } from '../../../config/app-config.js';
import { Database } from '../../platform/database/database.js';
import { NO_OUTAGE, ServerPulse } from '../../platform/database/server-pulse.js';
import { type Transaction, Transactor } from '../../platform/database/transactor.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import { statusChanged, SYSTEM } from '../agent-events.js';
import { moved } from '../domain/agent.machine.js';
import type { AgentRow } from '../domain/agent.js';
import { overdue, suspectBefore } from '../domain/liveness.js';
import { ROW_COLUMNS, type SignOfLife, writeLiveness } from '../persistence/agent-rows.js';

const SWEEP_MS = 250;
const PER_LOOK = 500;

/** @param grace seconds before the end of its lease at which an agent is suspect */
const silent = (now: string, grace: string): string => `a.liveness <> 'offline' AND ${NO_OUTAGE}
  AND (a.lease_until < ${now} OR (a.liveness = 'active' AND a.lease_until < ${now} + make_interval(secs => ${grace}::float8)))`;

const ANY_SILENT = {
  name: 'agents-any-silent',
  text: `SELECT 1 AS found FROM agents a WHERE ${silent('(SELECT clock_timestamp())', '$1')} LIMIT 1`,
};

const LOCK_SILENT = {
  name: 'agents-lock-silent',
  text: `SELECT ${ROW_COLUMNS} FROM agents a WHERE ${silent('$1::timestamptz', '$2')}
    ORDER BY a.id, a.project_id LIMIT $3 FOR UPDATE OF a SKIP LOCKED`,
};

/** An outage of ours is nobody's silence. `last_seen` stays: it is the agent's own. */
const CREDIT = {
  name: 'agents-credit',
  text: `UPDATE agents a SET lease_until = a.lease_until + make_interval(secs => $1::float8)
    WHERE a.liveness <> 'offline'`,
};

/** Finds agents that have fallen silent, by the database's clock: suspect after half a lease, offline after a whole one. */
@Injectable()
export class LivenessSweep implements OnModuleInit {
  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly transactor: Transactor,
    private readonly sweeps: Sweeps,
    private readonly pulse: ServerPulse,
  ) {}

  onModuleInit(): void {
    this.pulse.onOutage(async (tx, seconds) => {
      await tx.query(CREDIT, [seconds]);
    });
    this.sweeps.every('liveness', SWEEP_MS, () => this.look());
  }

  private async look(): Promise<boolean> {
    const grace = suspectBefore(this.config.leaseSeconds);
    // Most looks find nothing, and a read costs less than a transaction.
    if ((await this.database.query(ANY_SILENT, [grace])).length === 0) return false;
    return this.transactor.run(async (tx) => {
      const agents = await tx.query<AgentRow>(LOCK_SILENT, [tx.now, grace, PER_LOOK]);
      const changed = agents.flatMap((agent) => this.judge(tx, agent));
      if (changed.length > 0) tx.write(writeLiveness(changed, tx.now));
      return agents.length === PER_LOOK;
    });
  }

  private judge(tx: Transaction, before: AgentRow): SignOfLife[] {
    const command = overdue(before, tx.now, this.config.leaseSeconds);
    if (command === undefined) return [];
    const { agent, events } = statusChanged(before, moved(before, command), tx.now, SYSTEM);
    for (const event of events) tx.record(event);
    return [{ agent }];
  }
}
