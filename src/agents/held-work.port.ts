import type { Transaction } from '../platform/database/transactor.js';
import type { AgentKey } from './agent-directory.js';

/** An agent, as it asks what it has lost. */
export interface Watch {
  readonly id: string;
  readonly projectId: string;
  /** What it lost earlier than this it knows. */
  readonly since: string;
}

/** What agents need of tasks, which stand to their right. Implemented there. */
export abstract class HeldWork {
  /**
   * Offers again, at once, what an agent holds and `keep` does not name: its older session is over, or it left.
   * Locks the tasks by id; call it before the agent's row is locked (house order: tasks, then agents).
   * What `keep` names moves to the new session, whose epoch `agent` names.
   */
  abstract handOver(
    tx: Transaction,
    agent: { readonly id: string; readonly projectId: string; readonly sessionEpoch: number },
    keep: readonly string[],
  ): Promise<void>;
  /**
   * How many tasks each of these agents holds (assigned or in progress); agents that hold none are left out. Keys:
   * `rowKey(projectId, id)`.
   */
  abstract counts(agents: readonly AgentKey[]): Promise<ReadonlyMap<string, number>>;
  /**
   * Renews the leases of tasks that an agent says it works on, though it has not started them yet.
   * @returns those of `taskIds` that its session does not hold (any more)
   */
  abstract renew(
    projectId: string,
    agentId: string,
    sessionEpoch: number,
    taskIds: readonly string[],
  ): Promise<string[]>;
  /**
   * Tasks that were taken from each of these agents (cancelled, timed out, their lease gone) and that it does not hold
   * again, the thousand newest of each; agents that lost none are left out. Keys: `rowKey(projectId, id)`.
   */
  abstract revoked(agents: readonly Watch[]): Promise<ReadonlyMap<string, readonly string[]>>;
}
