import { Injectable } from '@nestjs/common';
import { TOKEN_LIFETIME } from './access-token.js';
import { ClientsRepository } from './clients.repository.js';
import { secretMatches } from './credentials.js';
import { formatScopes, narrowScopes, parseScopes } from './scopes.js';
import { invalidClient, type TokenRequest, tokenRefusal } from './token-request.js';
import { Tokens } from './tokens.service.js';

/** RFC 6749 §5.1. */
export interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  /** Seconds. */
  readonly expires_in: number;
  readonly scope: string;
}

/** Exchanges a client's secret for an access token. */
@Injectable()
export class TokenEndpoint {
  constructor(
    private readonly clients: ClientsRepository,
    private readonly tokens: Tokens,
  ) {}

  /** @throws DomainError AUTHENTICATION_FAILED for an unknown client or a wrong secret · invalid_scope */
  async exchange({ clientId, clientSecret, scope }: TokenRequest): Promise<TokenAnswer> {
    const client = await this.clients.find(clientId);
    if (!secretMatches(clientSecret, client?.secret_hash) || client === undefined) throw invalidClient();
    const granted = narrowScopes(parseScopes(client.scope) ?? [], scope);
    if (granted === undefined) throw tokenRefusal('invalid_scope', `This client has: ${client.scope}.`);
    return {
      access_token: await this.tokens.issue(client, granted),
      token_type: 'Bearer',
      expires_in: TOKEN_LIFETIME,
      scope: formatScopes(granted),
    };
  }
}
