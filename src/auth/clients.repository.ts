import { Injectable } from '@nestjs/common';
import { Database } from '../platform/database/database.js';
import { Transactor } from '../platform/database/transactor.js';
import type { PageKey } from '../platform/http/page.js';
import { DomainError } from '../shared/domain-error.js';
import {
  clientValues,
  type ClientKind,
  type Credential,
  DELETE_CLIENT,
  INSERT_CLIENT,
  type NewClient,
} from './credentials.js';

/** A client as it is kept. */
export interface ClientRow {
  readonly client_id: string;
  readonly project_id: string;
  readonly name: string;
  readonly kind: ClientKind;
  readonly agent_id: string | null;
  readonly scope: string;
  readonly created_at: string;
}

/** With what its secret is checked by. */
export interface ClientWithSecret extends ClientRow {
  readonly secret_hash: Buffer;
  /** Another one for each secret. */
  readonly credential_id: string;
}

/** A client and its present credential. */
export interface PresentCredential {
  readonly client_id: string;
  readonly credential_id: string;
}

/** Which clients a list shows; null does not filter. */
export interface ClientFilter {
  readonly projectId: string | null;
  readonly createdAfter: string | null;
  readonly createdBefore: string | null;
}

const COLUMNS = 'client_id, project_id, name, kind, agent_id, scope, created_at';

const FIND = {
  name: 'client-find',
  text: `SELECT ${COLUMNS}, secret_hash, credential_id FROM clients WHERE client_id = $1`,
};

const PRESENT = {
  name: 'clients-present',
  text: 'SELECT client_id, credential_id FROM clients WHERE client_id = ANY($1)',
};

const LIST = {
  name: 'client-list',
  text: `SELECT ${COLUMNS} FROM clients
    WHERE ($1::text IS NULL OR project_id = $1)
      AND ($2::timestamptz IS NULL OR created_at > $2)
      AND ($3::timestamptz IS NULL OR created_at < $3)
      AND ($4::timestamptz IS NULL OR (created_at, client_id) < ($4, $5::text))
    ORDER BY created_at DESC, client_id DESC
    LIMIT $6`,
};

const UPSERT_ADMIN = {
  name: 'client-upsert-admin',
  text: `INSERT INTO clients (client_id, project_id, name, kind, scope, secret_hash, created_at)
    VALUES ($1, '*', 'First admin', 'admin', 'admin', $2, date_trunc('milliseconds', clock_timestamp()))
    ON CONFLICT (client_id) DO UPDATE SET secret_hash = EXCLUDED.secret_hash,
      credential_id = CASE WHEN clients.secret_hash = EXCLUDED.secret_hash THEN clients.credential_id
        ELSE gen_random_uuid()::text END
    WHERE clients.kind = 'admin'
    RETURNING client_id`,
};

@Injectable()
export class ClientsRepository {
  constructor(
    private readonly database: Database,
    private readonly transactor: Transactor,
  ) {}

  /**
   * @returns the client with its secret, in the transaction: a repeated request gets the same ones
   * @throws DomainError CONFLICT when the client id is taken
   */
  create(client: NewClient, credential: Credential): Promise<ClientRow & { client_secret: string }> {
    return this.transactor.run(async (tx) => {
      const values = clientValues(client, credential);
      const [row] = await tx.query<ClientRow>(INSERT_CLIENT, values);
      if (row === undefined) {
        throw new DomainError('CONFLICT', 'This client id is taken.', { client_id: client.clientId });
      }
      return { ...row, client_secret: credential.secret };
    });
  }

  async find(clientId: string): Promise<ClientWithSecret | undefined> {
    const [row] = await this.database.query<ClientWithSecret>(FIND, [clientId]);
    return row;
  }

  /** Those of the clients that there are, each with its present credential. */
  present(clientIds: readonly string[]): Promise<PresentCredential[]> {
    return this.database.query<PresentCredential>(PRESENT, [clientIds]);
  }

  /** Newest first, one more than `limit`, from behind `after`. */
  list(filter: ClientFilter, limit: number, after: PageKey | undefined): Promise<ClientRow[]> {
    const { projectId, createdAfter, createdBefore } = filter;
    const values = [
      projectId,
      createdAfter,
      createdBefore,
      after?.createdAt ?? null,
      after?.id ?? null,
      limit + 1,
    ];
    return this.database.query<ClientRow>(LIST, values);
  }

  /** @returns whether there was such a client */
  async delete(clientId: string): Promise<boolean> {
    return (await this.database.query(DELETE_CLIENT, [clientId])).length > 0;
  }

  /** @returns false when the client id belongs to somebody who is no admin */
  async upsertAdmin(clientId: string, hash: Buffer): Promise<boolean> {
    return (await this.database.query(UPSERT_ADMIN, [clientId, hash])).length > 0;
  }
}
