import { Injectable } from '@nestjs/common';
import { HeldWork } from './held-work.port.js';

interface Asking {
  readonly ids: Set<string>;
  readonly counts: Promise<ReadonlyMap<string, number>>;
}

/** How much agents hold. The heartbeats of a batch are answered in one turn of the event loop, so they ask together. */
@Injectable()
export class HeldCounts {
  private readonly asking = new Map<string, Asking>();

  constructor(private readonly held: HeldWork) {}

  /** Tasks that an agent holds, assigned or in progress. */
  async of(agent: { readonly id: string; readonly project_id: string }): Promise<number> {
    const asking = this.asking.get(agent.project_id) ?? this.ask(agent.project_id);
    asking.ids.add(agent.id);
    return (await asking.counts).get(agent.id) ?? 0;
  }

  private ask(projectId: string): Asking {
    const ids = new Set<string>();
    const counts = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      this.asking.delete(projectId);
      return this.held.counts(projectId, [...ids]);
    });
    const asking = { ids, counts };
    this.asking.set(projectId, asking);
    return asking;
  }
}
