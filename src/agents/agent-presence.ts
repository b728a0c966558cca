import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../config/app-config.js';
import { Batcher } from '../platform/database/batcher.js';
import { rowKey } from '../shared/ids.js';
import { HeartbeatCommands } from './heartbeat-commands.js';

/** Claims and reports are an agent's own calls too: they keep it alive as a heartbeat does. */
@Injectable()
export class AgentPresence {
  /** Until when (process time, ms) a further sign of life of an agent says nothing new. In the order of these times. */
  private readonly fresh = new Map<string, number>();
  private readonly freshMs: number;

  constructor(
    config: AppConfig,
    private readonly batcher: Batcher,
    private readonly heartbeats: HeartbeatCommands,
  ) {
    this.freshMs = Math.min(1000, config.env.HEARTBEAT_INTERVAL * 250);
  }

  /**
   * The agent has just called by itself. In this process one call a second is written (four per heartbeat interval where
   * that is shorter); the rest cost nothing.
   * @param sessionEpoch the session that calls, if it says so: an older process is no sign of life
   * @throws DomainError NOT_FOUND · STALE_SESSION
   */
  async seen(projectId: string, agentId: string, sessionEpoch?: number): Promise<void> {
    const key = rowKey(projectId, agentId);
    const now = Date.now();
    this.forgetStale(now);
    if (this.fresh.has(key)) return;
    // Noted before it is written, or every call of a busy agent would write until the first has.
    this.fresh.set(key, now + this.freshMs);
    try {
      await this.batcher.submit(this.heartbeats, { projectId, agentId, sessionEpoch });
    } catch (error) {
      this.fresh.delete(key);
      throw error;
    }
  }

  private forgetStale(now: number): void {
    for (const [key, until] of this.fresh) {
      if (until > now) return;
      this.fresh.delete(key);
    }
  }
}
