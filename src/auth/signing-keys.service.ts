import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { calculateJwkThumbprint, exportJWK, type JWK } from 'jose';
import { AppConfig, ConfigError } from '../../config/app-config.js';
import { Database } from '../platform/database/database.js';

const MODULUS_BITS = 2048;
/** An unknown key id may be a key that another process made: look again, but not for every forged token. */
const RELOAD_AFTER_MS = 1_000;

interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

interface KeyRing {
  readonly active: SigningKey;
  readonly keys: ReadonlyMap<string, SigningKey>;
  readonly loadedAt: number;
}

const LOAD = {
  name: 'signing-keys-load',
  text: `SELECT kid, private_pem, kid = (SELECT value FROM server_settings WHERE name = 'signing_key') AS active
    FROM signing_keys ORDER BY created_at`,
};

/** Of several processes at their first start exactly one names its key the signing key, and only that one is kept. */
const KEEP_FIRST = {
  name: 'signing-keys-keep-first',
  text: `WITH named AS (
      INSERT INTO server_settings (name, value) VALUES ('signing_key', $1) ON CONFLICT (name) DO NOTHING RETURNING value)
    INSERT INTO signing_keys (kid, private_pem) SELECT value, $2 FROM named`,
};

/** The RSA keys that sign and verify tokens: PARLEY_JWT_PRIVATE_KEY, or one made once and kept in Postgres. */
@Injectable()
export class SigningKeys implements OnModuleInit {
  private ring: Promise<KeyRing> | undefined;
  private readonly configured: string | undefined;

  constructor(
    config: AppConfig,
    private readonly database: Database,
  ) {
    this.configured = config.env.PARLEY_JWT_PRIVATE_KEY;
  }

  /** So that a wrong PARLEY_JWT_PRIVATE_KEY stops the start, and the first client does not wait for a new key. */
  async onModuleInit(): Promise<void> {
    await this.load();
  }

  /** The key that signs now. Throws SERVICE_UNAVAILABLE while Postgres is away and the key was not yet read. */
  async active(): Promise<SigningKey> {
    return (await this.load()).active;
  }

  /** The public key of a key id; undefined if it is none of ours. */
  async publicKey(kid: string): Promise<KeyObject | undefined> {
    const { keys, loadedAt } = await this.load();
    const known = keys.get(kid)?.publicKey;
    if (known !== undefined || Date.now() - loadedAt < RELOAD_AFTER_MS) return known;
    this.ring = undefined;
    return (await this.load()).keys.get(kid)?.publicKey;
  }

  /** All public keys, as RFC 7517 wants them. */
  async jwks(): Promise<{ keys: JWK[] }> {
    const { keys } = await this.load();
    const shown = [...keys.values()].map(async ({ kid, publicKey }) => ({
      ...(await exportJWK(publicKey)),
      kid,
      use: 'sig',
      alg: 'RS256',
    }));
    return { keys: await Promise.all(shown) };
  }

  /** Read once; a failed read is not remembered. */
  private load(): Promise<KeyRing> {
    if (this.ring === undefined) {
      const ring = this.configured === undefined ? this.fromDatabase() : this.fromConfig(this.configured);
      this.ring = ring;
      ring.catch(() => {
        if (this.ring === ring) this.ring = undefined;
      });
    }
    return this.ring;
  }

  private async fromConfig(pem: string): Promise<KeyRing> {
    const privateKey = readRsaKey(pem);
    const kid = await calculateJwkThumbprint(await exportJWK(createPublicKey(privateKey)));
    const active = { kid, privateKey, publicKey: createPublicKey(privateKey) };
    return { active, keys: new Map([[kid, active]]), loadedAt: Date.now() };
  }

  private async fromDatabase(): Promise<KeyRing> {
    let rows = await this.rows();
    if (!rows.some((row) => row.active)) {
      await this.keepFirst();
      rows = await this.rows();
    }
    const keys = new Map<string, SigningKey>();
    for (const { kid, private_pem } of rows) {
      const privateKey = createPrivateKey(private_pem);
      keys.set(kid, { kid, privateKey, publicKey: createPublicKey(privateKey) });
    }
    const active = keys.get(rows.find((row) => row.active)?.kid ?? '');
    if (active === undefined)
      throw new Error('server_settings names a signing key that is not in signing_keys');
    return { active, keys, loadedAt: Date.now() };
  }

  private async keepFirst(): Promise<void> {
    const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', {
      modulusLength: MODULUS_BITS,
    });
    const kid = await calculateJwkThumbprint(await exportJWK(publicKey));
    await this.database.query(KEEP_FIRST, [kid, privateKey.export({ type: 'pkcs8', format: 'pem' })]);
  }

  private rows(): Promise<{ kid: string; private_pem: string; active: boolean | null }[]> {
    return this.database.query(LOAD);
  }
}

/** @throws ConfigError unless the text is a PEM of an RSA private key of 2048 bits or more */
function readRsaKey(pem: string): KeyObject {
  let key: KeyObject | undefined;
  try {
    // Compose files and CI write the line breaks of a PEM as \n.
    key = createPrivateKey(pem.replaceAll('\\n', '\n'));
  } catch {
    key = undefined;
  }
  if (key?.asymmetricKeyType !== 'rsa' || (key.asymmetricKeyDetails?.modulusLength ?? 0) < MODULUS_BITS) {
    throw new ConfigError(
      `PARLEY_JWT_PRIVATE_KEY must be the PEM of an RSA private key of at least ${MODULUS_BITS} bits.`,
    );
  }
  return key;
}
