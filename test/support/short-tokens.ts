import { SignJWT } from 'jose';
import { SigningKeys } from '../../src/auth/signing-keys.service.js';
import type { TestApp } from './app.js';

/** A token like those of the token endpoint, but for its end. `exp` in seconds since the epoch. */
export async function tokenUntil(
  app: TestApp,
  exp: number,
  claims: {
    readonly client_id: string;
    readonly project_id: string;
    readonly scope: string;
    readonly agent_id?: string;
  },
): Promise<string> {
  const { kid, privateKey } = await app.app.get(SigningKeys, { strict: false }).active();
  return new SignJWT({ ...claims, exp })
    .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid })
    .setIssuer('parley')
    .setAudience('parley')
    .setSubject(claims.client_id)
    .setIssuedAt()
    .setJti('j')
    .sign(privateKey);
}
