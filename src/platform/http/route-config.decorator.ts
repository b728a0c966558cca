import { FASTIFY_ROUTE_CONFIG_METADATA } from '@nestjs/platform-fastify/constants.js';
import type { FastifyContextConfig } from 'fastify';
import type { DomainError } from '../../shared/domain-error.js';

/** How a refusal is written where a standard of the route's own prescribes another shape (OAuth). */
export interface RefusalAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** One of these scopes lets a caller in; none: everybody may call, without a token. Absent: the route is closed. */
    readonly scopes?: readonly string[];
    /** Bodies may be application/x-www-form-urlencoded too. */
    readonly takesForms?: boolean;
    /** The token may stand in the query, as `access_token`. */
    readonly takesQueryToken?: boolean;
    /** It is answered for as long as the client stays. */
    readonly isStream?: boolean;
    readonly showRefusal?: (refusal: DomainError, request: FastifyRequest) => RefusalAnswer;
  }
}

/**
 * Facts about a route that are needed before Nest sees the request, where Fastify's hooks and parsers run
 * (`request.routeOptions.config`). Several of these decorators on one method add up.
 */
export function ConfigureRoute(config: Partial<FastifyContextConfig>): MethodDecorator {
  return (_target, _property, descriptor: PropertyDescriptor) => {
    const handler: unknown = descriptor.value;
    if (typeof handler !== 'function') throw new TypeError('only methods are routes');
    const present: unknown = Reflect.getMetadata(FASTIFY_ROUTE_CONFIG_METADATA, handler);
    Reflect.defineMetadata(FASTIFY_ROUTE_CONFIG_METADATA, Object.assign({}, present, config), handler);
  };
}

/** A route that needs no token. */
export function Public(): MethodDecorator {
  return ConfigureRoute({ scopes: [] });
}
