import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { validationFailed } from '../../shared/domain-error.js';
import { bodyHash } from '../body-hash.js';
import { KeyedRequest, runKeyed } from '../idempotency/keyed-request.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on a request with an Idempotency-Key. */
    keyed?: KeyedRequest;
  }
}

const VISIBLE = /^[\x21-\x7e]{1,255}$/;

/**
 * Takes `Idempotency-Key` on every POST by a known client (CONTRACT §1). A request whose key is in flight in this process
 * waits for the other's answer; in another process it waits in Postgres. A refusal changed nothing and is not kept.
 * @param clientOf the client that calls; undefined on routes that need no token
 */
export function installIdempotency(
  fastify: FastifyInstance,
  clientOf: (request: FastifyRequest) => string | undefined,
): void {
  const inFlight = new Map<string, Promise<void>>();
  fastify.decorateRequest('keyed');
  fastify.addHook('onRoute', (route) => {
    const { handler } = route;
    route.handler = function (request, reply) {
      const handle = async (): Promise<unknown> => handler.call(this, request, reply);
      return request.keyed === undefined
        ? handler.call(this, request, reply)
        : runKeyed(request.keyed, handle);
    };
  });
  fastify.addHook('preHandler', (request, reply, done) => {
    const given = request.headers['idempotency-key'];
    const clientId = clientOf(request);
    if (given === undefined || request.method !== 'POST' || clientId === undefined) return done();
    if (typeof given !== 'string' || !VISIBLE.test(given)) {
      return done(
        validationFailed([
          { path: '', message: 'Idempotency-Key must be 1 to 255 visible ASCII characters' },
        ]),
      );
    }
    const path = request.url.split('?', 1)[0] ?? '';
    const identity = { clientId, method: request.method, path, key: given };
    const onReplay = (): void => {
      if (!reply.sent) reply.header('Idempotency-Replayed', 'true');
    };
    request.keyed = new KeyedRequest(identity, requestHash(request), onReplay);
    void inTurn(inFlight, JSON.stringify(identity), reply).then(() => done());
  });
}

/** Resolves when the request of this name that was being answered is; the first to come waits for nobody. */
async function inTurn(
  inFlight: Map<string, Promise<void>>,
  name: string,
  { raw }: FastifyReply,
): Promise<void> {
  const first = inFlight.get(name);
  if (first !== undefined) return first;
  if (raw.closed) return;
  const answered = new Promise<void>((resolve) => raw.once('close', () => resolve()));
  inFlight.set(name, answered);
  void answered.then(() => inFlight.delete(name));
}

/** What makes it the same request; how long its client waits does not. */
function requestHash({ body, query, headers }: FastifyRequest): string {
  const asked = Object.entries(query ?? {}).filter(([name]) => name !== 'wait_ms');
  return bodyHash({ body, query: Object.fromEntries(asked), project: headers['x-project-id'] });
}
