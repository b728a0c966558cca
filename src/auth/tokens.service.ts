import { Injectable } from '@nestjs/common';
import { SignJWT } from 'jose';
import { Passport } from 'passport';
import { newId } from '../platform/new-id.js';
import { DomainError } from '../shared/domain-error.js';
import {
  ALGORITHM,
  AUDIENCE,
  expiredToken,
  invalidToken,
  ISSUER,
  TOKEN_LIFETIME,
  TOKEN_TYPE,
} from './access-token.js';
import type { Caller } from './caller.js';
import type { ClientWithSecret } from './clients.repository.js';
import { JwtStrategy } from './jwt.strategy.js';
import { RecentTokens } from './recent-tokens.js';
import { formatScopes, type Scope } from './scopes.js';
import { SigningKeys } from './signing-keys.service.js';

const REMEMBERED = 10_000;

type PassportRun = (request: object, response: object, next: (error?: unknown) => void) => void;

/** Issues access tokens, and tells who calls with one. */
@Injectable()
export class Tokens {
  private readonly recent = new RecentTokens(REMEMBERED);
  // An instance of its own: passport's global one is shared by every application in the process.
  private readonly passport = new Passport();

  constructor(
    private readonly keys: SigningKeys,
    strategy: JwtStrategy,
  ) {
    this.passport.use(strategy);
  }

  /** A token of {@link TOKEN_LIFETIME} seconds, as RFC 9068 wants it. */
  async issue(client: ClientWithSecret, scopes: readonly Scope[]): Promise<string> {
    const { kid, privateKey } = await this.keys.active();
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      client_id: client.client_id,
      project_id: client.project_id,
      scope: formatScopes(scopes),
      credential_id: client.credential_id,
      ...(client.agent_id === null ? {} : { agent_id: client.agent_id }),
    };
    return new SignJWT(claims)
      .setProtectedHeader({ alg: ALGORITHM, typ: TOKEN_TYPE, kid })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setSubject(client.client_id)
      .setIssuedAt(now)
      .setExpirationTime(now + TOKEN_LIFETIME)
      .setJti(newId())
      .sign(privateKey);
  }

  /**
   * Who calls with this token, for requests and for socket handshakes.
   * @throws DomainError AUTHENTICATION_FAILED · SERVICE_UNAVAILABLE while the keys cannot be read
   */
  async authenticate(token: string): Promise<Caller> {
    const known = this.recent.get(token, Date.now());
    if (known !== undefined) return known;
    const caller = await this.verify(token);
    this.recent.set(token, caller);
    return caller;
  }

  private verify(token: string): Promise<Caller> {
    return new Promise((resolve, reject) => {
      const outcome = (error: unknown, caller: Caller | false | null, problem: unknown): void => {
        if (caller) resolve(caller);
        else reject(refusalOf(error ?? problem));
      };
      // Typed as any by passport.
      const run = this.passport.authenticate('jwt', { session: false }, outcome) as PassportRun;
      run({ headers: { authorization: `Bearer ${token}` } }, {}, reject);
    });
  }
}

function refusalOf(problem: unknown): unknown {
  if (problem instanceof DomainError) return problem;
  if (problem instanceof Error && problem.name === 'TokenExpiredError') return expiredToken();
  return invalidToken();
}
