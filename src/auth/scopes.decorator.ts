import { applyDecorators } from '@nestjs/common';
import { ApiBearerAuth, ApiExtension } from '@nestjs/swagger';
import { ConfigureRoute } from '../platform/http/route-config.decorator.js';
import type { Scope } from './scopes.js';

/** Opens a route to callers that have one of these scopes (`admin` has them all). A route without it is closed. */
export function Scopes(...scopes: [Scope, ...Scope[]]): MethodDecorator {
  return applyDecorators(ConfigureRoute({ scopes }), ApiBearerAuth(), ApiExtension('x-scopes', scopes));
}
