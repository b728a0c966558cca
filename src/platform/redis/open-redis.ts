import { Redis } from 'ioredis';
import { ConfigError } from '../../../config/app-config.js';

const CONNECT_MS = 5_000;
/** What Redis answers to a wrong or a missing password, and to an account that may not do what we need. */
const REFUSED = /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password|ERR DB index)/;

/**
 * One connection to the Redis of REDIS_URL. A connection that broke stays broken, and what was asked of it fails at once:
 * its owner opens a new one. Load this module late: most servers have no Redis.
 * @param name as `CLIENT LIST` shows it
 * @throws ConfigError one line with the remedy when this Redis may not be used: it evicts, or refuses us
 * @throws Error while it is away
 */
export async function openRedis(url: string, name: string): Promise<Redis> {
  const redis = new Redis(url, {
    connectionName: `parley-${name}`,
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    keepAlive: 10_000,
    retryStrategy: () => null,
    // BullMQ's blocking connections are copies of this one, and wait as long as it takes.
    maxRetriesPerRequest: null,
  });
  let problem: Error | undefined;
  redis.on('error', (error) => (problem = error));
  // A Redis that accepts the connection and says nothing is away, too.
  const hurry = setTimeout(() => redis.disconnect(), CONNECT_MS);
  try {
    await redis.connect();
    refuseEviction(await redis.info('memory'));
    return redis;
  } catch (error) {
    redis.disconnect();
    throw reasonOf(problem ?? error);
  } finally {
    clearTimeout(hurry);
  }
}

/**
 * For the start: nobody begins to rely on a Redis that loses what it was told. One that is away is no obstacle, since
 * Redis only accelerates.
 * @throws ConfigError as {@link openRedis} does
 */
export async function refuseUnfitRedis(url: string): Promise<void> {
  try {
    (await openRedis(url, 'check')).disconnect();
  } catch (error) {
    if (error instanceof ConfigError) throw error;
  }
}

function refuseEviction(info: string): void {
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  // INFO tells it where a hosted Redis forbids CONFIG; one that does not tell has no such thing.
  if (policy === undefined || policy === 'noeviction') return;
  throw new ConfigError(
    `REDIS_URL names a Redis that evicts keys (its maxmemory-policy is ${policy}). ` +
      'Set its maxmemory-policy to noeviction: jobs and counts must not vanish.',
  );
}

function reasonOf(error: unknown): unknown {
  const message = error instanceof Error ? error.message : String(error);
  if (!REFUSED.test(message)) return error;
  return new ConfigError(`REDIS_URL does not work: ${message}. Set it to a Redis that this account may use.`);
}
