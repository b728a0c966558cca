import { Injectable, type OnModuleInit } from '@nestjs/common';
import { JointRead } from '../platform/database/joint-read.js';
import { Sweeps } from '../platform/sweeps/sweeps.js';
import { DomainError } from '../shared/domain-error.js';
import { expiredToken, revokedToken } from './access-token.js';
import type { Caller } from './caller.js';
import { ClientsRepository } from './clients.repository.js';

/** A revoked client is cut off within 5 s, the jitter of the look included. */
const LOOK_MS = 3_000;
/** setTimeout's largest delay; no token lives that long. */
const LONGEST_MS = 2_147_483_647;

/** Somebody who stays connected: until the token ends, or what it was made for does. */
export interface ConnectedCaller {
  /** Goes on with a new token. */
  renew(caller: Caller): void;
  /** The connection has ended. */
  forget(): void;
}

interface Connection {
  caller: Caller;
  expiry: NodeJS.Timeout;
  readonly end: (reason: DomainError) => void;
}

/**
 * Watches over connections that outlive their request: each ends with its token, and with the client's secret that the
 * token was made for. The one place that says what revokes a connection: a client that is deleted, or has a new secret.
 */
@Injectable()
export class ConnectedCallers implements OnModuleInit {
  private readonly connections = new Set<Connection>();
  private readonly present: JointRead<string, string>;

  constructor(
    private readonly clients: ClientsRepository,
    private readonly sweeps: Sweeps,
  ) {
    this.present = new JointRead(
      (clientId) => clientId,
      async (ids) => new Map((await clients.present(ids)).map((one) => [one.client_id, one.credential_id])),
    );
  }

  onModuleInit(): void {
    this.sweeps.every('connected-callers', LOOK_MS, () => this.look(), 'everywhere');
  }

  /**
   * Before somebody is let in. While Postgres is away nobody is told anything, and is looked at when it is back.
   * @throws DomainError AUTHENTICATION_FAILED for a token that was revoked
   */
  async assertPresent(caller: Caller): Promise<void> {
    let present: string | undefined;
    try {
      present = await this.present.get(caller.clientId);
    } catch (error) {
      if (error instanceof DomainError && error.code === 'SERVICE_UNAVAILABLE') return;
      throw error;
    }
    if (!isPresent(caller, present)) throw revokedToken();
  }

  /** @param end called once, when the caller may not stay any longer */
  connected(caller: Caller, end: (reason: DomainError) => void): ConnectedCaller {
    const expiryOf = ({ expiresAt }: Caller): NodeJS.Timeout =>
      setTimeout(
        () => this.endOne(connection, expiredToken()),
        Math.min(Math.max(expiresAt - Date.now(), 0), LONGEST_MS),
      );
    const connection: Connection = { caller, end, expiry: expiryOf(caller) };
    this.connections.add(connection);
    return {
      renew: (renewed) => {
        clearTimeout(connection.expiry);
        connection.caller = renewed;
        connection.expiry = expiryOf(renewed);
      },
      forget: () => this.forget(connection),
    };
  }

  /** Ends what was revoked. @returns false: the next look comes when it is due */
  async look(): Promise<boolean> {
    const seen = [...this.connections].map((connection) => ({ connection, caller: connection.caller }));
    const ids = new Set(seen.map(({ caller }) => caller.clientId));
    if (ids.size === 0) return false;
    const rows = await this.clients.present([...ids]);
    const present = new Map(rows.map((one) => [one.client_id, one.credential_id]));
    for (const { connection, caller } of seen) {
      // Who was renewed meanwhile is looked at next time: the row may be older than the new token.
      if (connection.caller === caller && !isPresent(caller, present.get(caller.clientId)))
        this.endOne(connection, revokedToken());
    }
    return false;
  }

  private endOne(connection: Connection, reason: DomainError): void {
    if (!this.connections.has(connection)) return;
    this.forget(connection);
    connection.end(reason);
  }

  private forget(connection: Connection): void {
    clearTimeout(connection.expiry);
    this.connections.delete(connection);
  }
}

function isPresent({ credentialId }: Caller, present: string | undefined): boolean {
  return present !== undefined && (credentialId === null || credentialId === present);
}
