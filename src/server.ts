import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Logger } from 'pino';
import type { AppConfig } from '../config/app-config.js';
import { AppModule } from './app.module.js';
import { FirstAdmin } from './auth/index.js';
import { banner } from './banner.js';
import { createHttpApp } from './http-app.js';
import { migrate } from './platform/database/migrate.js';
import { type OpenPostgres, openPostgres } from './platform/database/open-postgres.js';
import { Drain } from './platform/health/drain.service.js';

/** What PostgreSQL itself says, as it marks its lines; what is not marked is said about it. */
const POSTGRES_LINE = /\b(LOG|ERROR|WARNING|DETAIL|HINT|STATEMENT|CONTEXT): /;
const GRAVE = /\b(FATAL|PANIC): /;

/** Connections that may wait to be accepted: a fleet that comes back comes at once. The kernel may allow less. */
const BACKLOG = 4_096;

/** A server process from Postgres up to HTTP, and down again: Postgres is there before the application and goes after it. */
export class Server {
  private postgres: OpenPostgres | undefined;
  private app: NestFastifyApplication | undefined;

  constructor(
    private readonly config: AppConfig,
    private readonly log: Logger,
  ) {}

  /**
   * Resolves when requests are answered, with what is to be said about it. It waits as long as it takes for a PostgreSQL
   * that is away.
   */
  async start(): Promise<string> {
    const { config } = this;
    this.postgres = await openPostgres(config, (line) => this.quote(line));
    const { connection, kind } = this.postgres;
    await migrate(connection, (line) => this.log.warn(line));
    const app = await createHttpApp(config, AppModule.create(config, connection));
    this.app = app;
    const { HOST: host, PORT: wanted, DATABASE_URL: url } = config.env;
    await app.init();
    // Not by Nest's own listen, which logs what fails before we can say it in one line.
    if (config.servesApi) {
      await app.getHttpAdapter().getInstance().listen({ host, port: wanted, backlog: BACKLOG });
    }
    return banner({
      host,
      port: config.servesApi ? portOf(app) : undefined,
      postgres: kind,
      dataDir: url === undefined ? config.dataDir : undefined,
      adminFile: app.get(FirstAdmin, { strict: false }).file,
    });
  }

  /** Finishes the requests in flight, unless `hurry` comes first, closes everything and stops the embedded Postgres. */
  async stop(hurry: Promise<void>): Promise<void> {
    try {
      if (this.app !== undefined) {
        await Promise.race([this.app.get(Drain).start(), hurry]);
        await this.app.close();
      }
    } catch (error) {
      this.log.error({ err: error }, 'the application did not close');
    }
    await this.postgres?.stop();
  }

  private quote(line: string): void {
    const level = GRAVE.test(line) ? 'warn' : POSTGRES_LINE.test(line) ? 'debug' : 'info';
    this.log[level]({ context: 'PostgreSQL' }, line);
  }
}

function portOf(app: NestFastifyApplication): number | undefined {
  const address = app.getHttpServer().address();
  return typeof address === 'object' ? address?.port : undefined;
}
