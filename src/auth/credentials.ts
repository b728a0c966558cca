import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Sql } from '../platform/database/statement.js';
import { ANY_PROJECT } from '../shared/ids.js';
import { formatScopes, type Scope } from './scopes.js';

/** A secret and what is kept of it. The secret is shown once; it is 256 random bits, so a plain hash cannot be searched. */
export interface Credential {
  readonly secret: string;
  readonly hash: Buffer;
}

export type ClientKind = 'admin' | 'client' | 'agent';

/** A client as it is created. */
export interface NewClient {
  readonly clientId: string;
  readonly projectId: string;
  readonly name: string;
  readonly kind: ClientKind;
  readonly agentId: string | null;
  readonly scopes: readonly Scope[];
}

export function newCredential(): Credential {
  const secret = randomBytes(32).toString('base64url');
  return { secret, hash: hashSecret(secret) };
}

export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

const NO_HASH = randomBytes(32);

/** Is this the secret? For an unknown client (`hash` undefined) it is not, and finding that out takes the same time. */
export function secretMatches(secret: string, hash: Buffer | undefined): boolean {
  return timingSafeEqual(hashSecret(secret), hash ?? NO_HASH) && hash !== undefined;
}

/** The client id of an agent: `<project>/<id>`; an agent of every project has its own id. */
export function agentClientId(projectId: string, agentId: string): string {
  return projectId === ANY_PROJECT ? agentId : `${projectId}/${agentId}`;
}

/** Adds a client; answers with no row if the client id is taken. Values: {@link clientValues}. */
export const INSERT_CLIENT: Sql = {
  name: 'client-insert',
  text: `INSERT INTO clients (client_id, project_id, name, kind, agent_id, scope, secret_hash, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, date_trunc('milliseconds', clock_timestamp()))
    ON CONFLICT (client_id) DO NOTHING
    RETURNING client_id, project_id, name, kind, agent_id, scope, created_at`,
};

/** Values: client id, hash of the new secret. Answers with the client id if there is such a client. */
export const SET_CLIENT_SECRET: Sql = {
  name: 'client-set-secret',
  text: `UPDATE clients SET secret_hash = $2, credential_id = gen_random_uuid()::text WHERE client_id = $1
    RETURNING client_id`,
};

/** Values: client id. Answers with it if there was such a client. */
export const DELETE_CLIENT: Sql = {
  name: 'client-delete',
  text: 'DELETE FROM clients WHERE client_id = $1 RETURNING client_id',
};

/** The values of {@link INSERT_CLIENT}. */
export function clientValues(client: NewClient, { hash }: Credential): readonly unknown[] {
  const { clientId, projectId, name, kind, agentId, scopes } = client;
  return [clientId, projectId, name, kind, agentId, formatScopes(scopes), hash];
}
