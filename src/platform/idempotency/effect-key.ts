import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { DomainError } from '../../shared/domain-error.js';
import type { Statement } from '../database/statement.js';

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** An effect as it is stored. */
export interface StoredEffect {
  readonly id: Buffer;
  readonly request_hash: Buffer;
  readonly result: Buffer;
}

/**
 * The key of one effect, under which its result is stored. A result may hold secrets that are shown once (the credentials
 * of a registration) or are stored nowhere (lease tokens), so it is sealed under the Idempotency-Key itself, of which only
 * a hash is kept: nobody reads it but who sends the key again.
 */
export class EffectKey {
  readonly name: string;

  constructor(
    private readonly id: Buffer,
    private readonly requestHash: string,
    private readonly key: string,
    private readonly onReplay: () => void,
  ) {
    this.name = id.toString('base64');
  }

  /**
   * The result that was stored, as JSON keeps it.
   * @throws DomainError IDEMPOTENCY_KEY_REUSED when it was another request's
   */
  replay(stored: StoredEffect): unknown {
    if (!stored.request_hash.equals(this.hashed())) {
      throw new DomainError(
        'IDEMPOTENCY_KEY_REUSED',
        'This Idempotency-Key came with another request before; use a new key for a new request.',
      );
    }
    this.onReplay();
    const text = this.open(stored.result);
    // undefined has no JSON.
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  }

  /** The effect as a row of {@link storeEffects}. */
  row(result: unknown): EffectRow {
    const text = JSON.stringify(result) as string | undefined;
    return { id: this.name, hash: this.hashed().toString('base64'), result: this.seal(text ?? '') };
  }

  private hashed(): Buffer {
    return createHash('sha256').update(this.requestHash).digest();
  }

  private seal(text: string): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, this.secret(), iv);
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64');
  }

  private open(sealed: Buffer): string {
    const decipher = createDecipheriv(CIPHER, this.secret(), sealed.subarray(0, IV_BYTES));
    decipher.setAuthTag(sealed.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    return decipher.update(sealed.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
  }

  private secret(): Buffer {
    return Buffer.from(hkdfSync('sha256', this.key, this.id, 'idempotency result', 32));
  }
}

interface EffectRow {
  readonly id: string;
  readonly hash: string;
  readonly result: string;
}

/** Effects that are stored already. Rows: StoredEffect. */
export function findEffects(keys: readonly EffectKey[]): Statement {
  return {
    name: 'effects-find',
    text: `
      SELECT k.id, k.request_hash, k.result FROM idempotency_keys k
      WHERE k.id = ANY(SELECT decode(wanted.id, 'base64') FROM unnest($1::text[]) AS wanted(id))`,
    values: [keys.map((key) => key.name)],
  };
}

/** Plain inserts in one order: who comes second with a key waits for the first, fails on it, and is done again. */
export function storeEffects(rows: readonly EffectRow[]): Statement {
  return {
    name: 'effects-store',
    text: `
      INSERT INTO idempotency_keys (id, request_hash, result)
      SELECT decode(e.id, 'base64'), decode(e.hash, 'base64'), decode(e.result, 'base64')
      FROM unnest($1::text[], $2::text[], $3::text[]) AS e(id, hash, result) ORDER BY 1`,
    values: [rows.map((row) => row.id), rows.map((row) => row.hash), rows.map((row) => row.result)],
  };
}
