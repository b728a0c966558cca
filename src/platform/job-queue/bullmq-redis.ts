import { Queue, Worker } from 'bullmq';
import { openRedis } from '../redis/open-redis.js';
import { type BullmqStore, EVENTS, WORKER } from './bullmq-session.js';

/** Before every key of ours: others may use the same Redis. */
const PREFIX = 'parley';

/**
 * BullMQ's keys in Redis, over one connection, and one more for each worker to wait on.
 * @throws while Redis is away, or evicts
 */
export async function openRedisStore(url: string): Promise<BullmqStore> {
  const connection = await openRedis(url, 'jobs');
  return {
    queue: (name) => new Queue(name, { connection, prefix: PREFIX, streams: EVENTS }),
    worker: (name, processor) => new Worker(name, processor, { ...WORKER, connection, prefix: PREFIX }),
    onLost: (run) => connection.once('end', run),
    ping: () => connection.ping(),
    close: () => {
      connection.disconnect();
      return Promise.resolve();
    },
  };
}
