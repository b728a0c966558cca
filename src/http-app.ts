import type { DynamicModule, NestApplicationOptions } from '@nestjs/common';
import { ModuleRef, NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Logger } from 'pino';
import type { AppConfig } from '../config/app-config.js';
import { Drain } from './platform/health/drain.service.js';
import { installAdmission } from './platform/http/admission.js';
import { AllowedMethods } from './platform/http/allowed-methods.js';
import { installBodyParsers } from './platform/http/body-parsers.js';
import { ErrorFilter } from './platform/http/error.filter.js';
import { EventCursor } from './platform/http/event-cursor.port.js';
import { fastifyOptions } from './platform/http/fastify-options.js';
import { installHooks } from './platform/http/hooks.js';
import { serveOpenApi } from './platform/http/openapi.js';
import { installIdempotency } from './platform/http/idempotency.js';
import { createLog, NestLog } from './platform/http/server-log.js';
import { watchConnections } from './platform/http/socket-refusal.js';
import { ValidationPipe } from './platform/http/validation.pipe.js';

/**
 * The whole application behind HTTP, as main and the tests run it; `listen` or `init` starts it. To stop it, wait for
 * `app.get(Drain).start()` and then close it: closing cuts the connections that are still open.
 * @param root what it is made of: `AppModule.create`, or in tests something smaller
 */
export async function createHttpApp(config: AppConfig, root: DynamicModule): Promise<NestFastifyApplication> {
  const log = createLog(config.env.LOG_LEVEL);
  const app = await NestFactory.create<NestFastifyApplication>(
    root,
    new FastifyAdapter(fastifyOptions()),
    nestOptions(log),
  );
  return furnish(app, log);
}

export function nestOptions(log: Logger): NestApplicationOptions {
  return { logger: new NestLog(log), abortOnError: false, bodyParser: false, forceCloseConnections: true };
}

/** Gives an application everything that requests meet outside of its modules. */
export function furnish(app: NestFastifyApplication, log: Logger): NestFastifyApplication {
  const fastify = app.getHttpAdapter().getInstance();
  const allowed = new AllowedMethods();
  fastify.addHook('onRoute', ({ url, method }) => allowed.add(url, [method].flat()));
  watchConnections(fastify.server);
  installHooks(fastify, { log, drain: app.get(Drain), cursor: eventCursorOf(app) });
  installAdmission(fastify);
  installBodyParsers(fastify);
  installIdempotency(fastify, (request) => request.caller?.clientId);
  app.useGlobalFilters(new ErrorFilter(allowed));
  app.useGlobalPipes(new ValidationPipe());
  serveOpenApi(app);
  return app;
}

/** Undefined in an application without the events module. */
function eventCursorOf(app: NestFastifyApplication): EventCursor | undefined {
  try {
    return app.get(ModuleRef).get(EventCursor, { strict: false });
  } catch {
    return undefined;
  }
}
