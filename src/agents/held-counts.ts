import { Injectable } from '@nestjs/common';
import { JointRead } from '../platform/database/joint-read.js';
import { rowKey } from '../shared/ids.js';
import type { AgentKey } from './agent-directory.js';
import type { AgentRow } from './domain/agent.js';
import { HeldWork } from './held-work.port.js';

/** How much agents hold. The heartbeats of a batch are answered in one turn of the event loop, so they ask together. */
@Injectable()
export class HeldCounts {
  private readonly counts: JointRead<AgentKey, number>;

  constructor(held: HeldWork) {
    this.counts = new JointRead(
      ({ projectId, id }) => rowKey(projectId, id),
      (agents) => held.counts(agents),
    );
  }

  /** Tasks that an agent holds, assigned or in progress. */
  async of({ id, project_id: projectId }: Pick<AgentRow, 'id' | 'project_id'>): Promise<number> {
    return (await this.counts.get({ id, projectId })) ?? 0;
  }
}
