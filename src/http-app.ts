import { ModuleRef, NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { AppConfig } from '../config/app-config.js';
import { AppModule } from './app.module.js';
import { Drain } from './platform/health/drain.service.js';
import { AllowedMethods } from './platform/http/allowed-methods.js';
import { installBodyParsers } from './platform/http/body-parsers.js';
import { ErrorFilter } from './platform/http/error.filter.js';
import { EventCursor } from './platform/http/event-cursor.port.js';
import { fastifyOptions } from './platform/http/fastify-options.js';
import { installHooks } from './platform/http/hooks.js';
import { serveOpenApi } from './platform/http/openapi.js';
import { createLog, NestLog } from './platform/http/server-log.js';
import { ValidationPipe } from './platform/http/validation.pipe.js';

/**
 * The whole application behind HTTP, as main and the tests run it; `listen` or `init` starts it. To stop it, wait for
 * `app.get(Drain).start()` and then close it: closing cuts the connections that are still open.
 */
export async function createHttpApp(config: AppConfig): Promise<NestFastifyApplication> {
  const log = createLog(config.env.LOG_LEVEL);
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.create(config),
    new FastifyAdapter(fastifyOptions()),
    { logger: new NestLog(log), abortOnError: false, bodyParser: false, forceCloseConnections: true },
  );
  const fastify = app.getHttpAdapter().getInstance();
  const allowed = new AllowedMethods();
  fastify.addHook('onRoute', ({ url, method }) => allowed.add(url, [method].flat()));
  installHooks(fastify, { log, drain: app.get(Drain), cursor: eventCursorOf(app) });
  installBodyParsers(fastify);
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
