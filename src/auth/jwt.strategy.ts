import { callbackify } from 'node:util';
import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { decodeProtectedHeader } from 'jose';
import { ExtractJwt, type SecretOrKeyProvider, Strategy } from 'passport-jwt';
import { ALGORITHM, AUDIENCE, callerOf, invalidToken, ISSUER, TOKEN_TYPE } from './access-token.js';
import type { Caller } from './caller.js';
import { SigningKeys } from './signing-keys.service.js';

/** Verifies a bearer token: RS256 by one of our keys, of the right type, for us, by us, not expired. */
@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy) {
  constructor(keys: SigningKeys) {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      secretOrKeyProvider: keyOf(keys),
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      audience: AUDIENCE,
    });
  }

  validate(claims: unknown): Caller {
    return callerOf(claims);
  }
}

/**
 * The key that the token names, given as a KeyObject: a PEM would be parsed for every token (5 × slower). What the
 * signature does not cover is checked here: jsonwebtoken ignores `typ` and, against RFC 7515, `crit`.
 */
function keyOf(keys: SigningKeys): SecretOrKeyProvider<unknown> {
  const provide = callbackify(async (token: string) => {
    const { alg, typ, crit, kid } = headerOf(token);
    const accepted = alg === ALGORITHM && typ?.toLowerCase() === TOKEN_TYPE && crit === undefined;
    const key = accepted && kid !== undefined ? await keys.publicKey(kid) : undefined;
    if (key === undefined) throw invalidToken();
    // passport-jwt's types know no KeyObject; it hands the key to jsonwebtoken, which does.
    return key as unknown as Buffer;
  });
  return (_request, token, done) => provide(String(token), done);
}

function headerOf(token: string): { alg?: unknown; typ?: string; kid?: string; crit?: unknown } {
  try {
    const { alg, typ, kid, crit } = decodeProtectedHeader(token);
    return {
      alg,
      crit,
      ...(typeof typ === 'string' ? { typ } : {}),
      ...(typeof kid === 'string' ? { kid } : {}),
    };
  } catch {
    throw invalidToken();
  }
}
