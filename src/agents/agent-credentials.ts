import { randomBytes } from 'node:crypto';
import {
  AGENT_SCOPES,
  agentClientId,
  clientValues,
  DELETE_CLIENT,
  INSERT_CLIENT,
  newCredential,
  SET_CLIENT_SECRET,
} from '../auth/index.js';
import type { Transaction } from '../platform/database/transactor.js';
import { DomainError } from '../shared/domain-error.js';
import type { Agent, AgentRow } from './domain/agent.js';
import { setWebhookSecret } from './persistence/agent-rows.js';

/** An agent's secrets, shown once. */
export interface AgentCredentials {
  readonly client_id: string;
  readonly client_secret: string;
  /** Key of the signatures on what is delivered to the agent (Standard Webhooks). */
  readonly webhook_secret: string;
}

export function newWebhookSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}

/** Makes the client of a new agent. @throws DomainError CONFLICT when its client id is taken */
export async function issueCredentials(
  tx: Transaction,
  agent: Agent,
  webhookSecret: string,
): Promise<AgentCredentials> {
  const clientId = clientIdOf(agent);
  const credential = newCredential();
  const client = {
    clientId,
    projectId: agent.project_id,
    name: agent.name ?? agent.id,
    kind: 'agent',
    agentId: agent.id,
    scopes: AGENT_SCOPES,
  } as const;
  const made = await tx.query(INSERT_CLIENT, clientValues(client, credential));
  if (made.length === 0) {
    throw new DomainError('CONFLICT', `The client id '${clientId}' is taken.`, { client_id: clientId });
  }
  return { client_id: clientId, client_secret: credential.secret, webhook_secret: webhookSecret };
}

/** Replaces an agent's secrets; makes its client anew if an admin had removed it. */
export async function renewCredentials(tx: Transaction, agent: Agent): Promise<AgentCredentials> {
  const clientId = clientIdOf(agent);
  const credential = newCredential();
  const webhookSecret = newWebhookSecret();
  tx.write(setWebhookSecret(agent, webhookSecret));
  const renewed = await tx.query(SET_CLIENT_SECRET, [clientId, credential.hash]);
  if (renewed.length === 0) return issueCredentials(tx, agent, webhookSecret);
  return { client_id: clientId, client_secret: credential.secret, webhook_secret: webhookSecret };
}

/** The agent's client goes with it: it gets no more tokens. */
export function withdrawCredentials(tx: Transaction, agent: AgentRow): void {
  tx.write({ ...DELETE_CLIENT, values: [clientIdOf(agent)] });
}

function clientIdOf(agent: AgentRow): string {
  return agentClientId(agent.project_id, agent.id);
}
