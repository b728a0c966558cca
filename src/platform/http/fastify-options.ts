import type { Server } from 'node:http';
import type { FastifyHttpOptions } from 'fastify';
import { correlationIdOf } from './correlation.js';
import { IncomingRequest } from './incoming-request.js';
import { sendRefusal } from './send-refusal.js';
import { sendSocketRefusal } from './socket-refusal.js';

const BODY_LIMIT = 1024 * 1024;
const ARRIVAL_MS = 30_000;

/** Limits of every request (CONTRACT §1, §8), and answers to what never becomes one. */
export function fastifyOptions(): FastifyHttpOptions<Server> {
  return {
    bodyLimit: BODY_LIMIT,
    // The time a request may take to arrive.
    requestTimeout: ARRIVAL_MS,
    http: {
      headersTimeout: 10_000,
      connectionsCheckingInterval: 2_000,
      // Refused in our own words (hooks.ts).
      requireHostHeader: false,
      IncomingMessage: IncomingRequest,
    },
    trustProxy: false,
    // Client ids (project/id, percent-encoded) are longer than the 100 that find-my-way allows.
    routerOptions: { maxParamLength: 1_000 },
    genReqId: correlationIdOf,
    frameworkErrors: sendRefusal,
    clientErrorHandler: sendSocketRefusal,
  };
}
