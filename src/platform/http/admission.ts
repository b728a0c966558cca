import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '../../shared/domain-error.js';

/** What one process takes on at the same time. What is beyond is refused at once, before it costs anything. */
export interface Capacity {
  /** Requests, those that wait included. */
  readonly requests: number;
  /** Requests that may wait for something to happen (`wait_ms`), and streams; the others always find room beside them. */
  readonly waiting: number;
  /** Bytes of all bodies together; they are held until their requests are answered. */
  readonly bodies: number;
}

const CAPACITY: Capacity = { requests: 15_000, waiting: 10_000, bodies: 128 * 1024 * 1024 };
/** A body that does not say how long it is may be as long as any may be. */
const LARGEST_BODY = 1024 * 1024;

/** Bounds the requests in flight: 503 with Retry-After beyond, and the place of one that ends or leaves is free at once. */
export function installAdmission(fastify: FastifyInstance, capacity: Capacity = CAPACITY): void {
  const held = { requests: 0, waiting: 0, bodies: 0 };

  /**
   * Takes a place until the request is answered, or its client gone.
   * @returns the refusal, where there is none left
   */
  function take(what: keyof Capacity, amount: number, reply: FastifyReply): DomainError | undefined {
    if (amount === 0) return undefined;
    if (held[what] + amount > capacity[what]) return overloaded(what);
    held[what] += amount;
    reply.raw.once('close', () => (held[what] -= amount));
    return undefined;
  }

  fastify.addHook('onRequest', (request, reply, done) => {
    // Whoever asks whether the server is overloaded is to hear it from the readiness, not from here.
    if (request.url.startsWith('/health/')) done();
    else done(take('requests', 1, reply) ?? take('bodies', bodySizeOf(request), reply));
  });

  fastify.addHook('preHandler', (request, reply, done) => {
    const isStream = request.routeOptions.config.isStream === true;
    const waits = isStream || mayWait(request.query) || mayWait(request.body);
    done(take('waiting', waits ? 1 : 0, reply));
  });
}

function bodySizeOf({ headers }: FastifyRequest): number {
  const length = Number(headers['content-length'] ?? 0);
  // What is too long, or no number, is refused before it is read.
  return headers['transfer-encoding'] === undefined ? Math.min(length || 0, LARGEST_BODY) : LARGEST_BODY;
}

/** Every long poll of ours says how long in `wait_ms`, in its query or its body. */
function mayWait(part: unknown): boolean {
  return typeof part === 'object' && part !== null && 'wait_ms' in part && Number(part.wait_ms) > 0;
}

function overloaded(what: keyof Capacity): DomainError {
  const reasons: Record<keyof Capacity, string> = {
    requests: 'The server answers as many requests as it can.',
    waiting: 'As many requests wait as the server can hold; ask without wait_ms, or use a socket.',
    bodies: 'The server holds as much as it can.',
  };
  return new DomainError('SERVICE_UNAVAILABLE', reasons[what], { retry_after: 1 });
}
