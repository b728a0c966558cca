import type { Transaction } from '../platform/database/transactor.js';
import type { AgentKey } from './agent-directory.js';
import type { Agent } from './domain/agent.js';
import type { HeldWork } from './held-work.port.js';
import { FIND_AGENT, LOCK_AGENT } from './persistence/agent-rows.js';

/**
 * Ends an agent's session: what it holds and `keep` does not name is offered again, and its row is locked. Tasks go
 * before agents, but a claim may slip in until the row is locked; so there is a second look, which finds next to nothing.
 * @returns the agent as it was; undefined when there is none
 */
export async function endSession(
  tx: Transaction,
  held: HeldWork,
  key: AgentKey,
  keep: readonly string[],
): Promise<Agent | undefined> {
  const values = [key.id, key.projectId];
  const [known] = await tx.query<Agent>(FIND_AGENT, values);
  if (known === undefined) return undefined;
  await held.handOver(tx, { ...key, sessionEpoch: known.session_epoch + 1 }, keep);
  const [agent] = await tx.query<Agent>(LOCK_AGENT, values);
  if (agent === undefined) return undefined;
  await held.handOver(tx, { ...key, sessionEpoch: agent.session_epoch + 1 }, keep);
  return agent;
}
