import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { EffectKey } from './effect-key.js';

/** What a request with an Idempotency-Key is known by (CONTRACT §1). */
export interface RequestIdentity {
  readonly clientId: string;
  readonly method: string;
  readonly path: string;
  readonly key: string;
}

/**
 * A request that carries an Idempotency-Key. What it changes is stored with its result in the transaction of the change,
 * one row per effect; when the request comes again, the result is read instead, and the request's code goes on with it.
 */
export class KeyedRequest {
  private transactions = 0;

  /**
   * @param hash of all that makes the request another one
   * @param onReplay called when an effect was found that had been stored before
   */
  constructor(
    private readonly identity: RequestIdentity,
    private readonly hash: string,
    private readonly onReplay: () => void,
  ) {}

  /** The key of one effect of this request. The same name again means the same effect. */
  effect(name: string): EffectKey {
    const { clientId, method, path, key } = this.identity;
    const id = createHash('sha256')
      .update(JSON.stringify([clientId, method, path, key, name]))
      .digest();
    return new EffectKey(id, this.hash, key, this.onReplay);
  }

  /** The key of the next transaction that this request runs; it runs them in the same order each time. */
  nextTransaction(): EffectKey {
    this.transactions += 1;
    return this.effect(`transaction ${this.transactions}`);
  }
}

const current = new AsyncLocalStorage<KeyedRequest | undefined>();

let running = 0;

/**
 * Runs `work`, and whatever it starts, as part of a keyed request. Following it through promises costs all that run in the
 * process (Node 20: a sixth of a request), so it is done only while there is a keyed request.
 */
export async function runKeyed<T>(request: KeyedRequest, work: () => Promise<T>): Promise<T> {
  running += 1;
  try {
    return await current.run(request, work);
  } finally {
    running -= 1;
    if (running === 0) current.disable();
  }
}

/** The keyed request that is being served, if it is one. */
export function currentKeyedRequest(): KeyedRequest | undefined {
  return current.getStore();
}

/** Runs what a request only sets off: its effects are not the request's. */
export function runUnkeyed<T>(work: () => T): T {
  return current.getStore() === undefined ? work() : current.run(undefined, work);
}
