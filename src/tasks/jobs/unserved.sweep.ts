import { Injectable, type OnModuleInit } from '@nestjs/common';
import { systemAlert } from '../../events/index.js';
import { Database } from '../../platform/database/database.js';
import { type Transaction, Transactor } from '../../platform/database/transactor.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import {
  ANYTHING_TO_TELL,
  ASKED_BY_ONE,
  BEGIN_EPISODES,
  END_EPISODES,
  FACTS,
  MARK_TOLD,
  type UnservedFacts,
} from '../persistence/unserved-rows.js';

const SWEEP_MS = 5_000;
/** An agent that restarts is away for a moment: that is nothing to tell. */
const GRACE_SECONDS = 3;

/**
 * Tells, once per project, agent type and episode, that work waits for a type of which no agent is alive. An episode
 * begins when a look finds it so, and ends when a look does not; it is a row, so it outlives this process and is one for all.
 */
@Injectable()
export class UnservedSweep implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly transactor: Transactor,
    private readonly sweeps: Sweeps,
  ) {}

  onModuleInit(): void {
    this.sweeps.every('unserved', SWEEP_MS, () => this.look());
  }

  private async look(): Promise<false> {
    // Most looks find nothing, and a read costs less than a transaction.
    if ((await this.database.query(ANYTHING_TO_TELL)).length === 0) return false;
    await this.transactor.run(async (tx) => {
      // Two processes that look a moment apart would end and begin the same episode.
      const [turn] = await tx.query<{ ours: boolean }>(ASKED_BY_ONE);
      if (turn?.ours !== true) return;
      await tx.query(END_EPISODES);
      await tx.query(BEGIN_EPISODES, [tx.now]);
      const due = await tx.query<{ project_id: string; agent_type: string }>(MARK_TOLD, [
        tx.now,
        GRACE_SECONDS,
      ]);
      for (const episode of due) await this.tell(tx, episode.project_id, episode.agent_type);
    });
    return false;
  }

  private async tell(tx: Transaction, projectId: string, agentType: string): Promise<void> {
    const [facts] = await tx.query<UnservedFacts>(FACTS, [projectId, agentType]);
    if (facts === undefined) return;
    const { queued, since, last_agent: lastAgent } = facts;
    const tasks = queued === 1 ? '1 task waits' : `${queued} tasks wait`;
    const alert = {
      projectId,
      severity: 'warning',
      message: `${tasks} for an agent of type '${agentType}', and none is alive. Start one, or cancel what waits.`,
      details: { reason: 'no_live_agent', agent_type: agentType, queued, since, last_agent: lastAgent },
    } as const;
    tx.record(systemAlert(alert, tx.now));
  }
}
