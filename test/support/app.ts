import { request as httpRequest } from 'node:http';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import { AppConfig } from '../../config/app-config.js';
import { AppModule } from '../../src/app.module.js';
import { furnish, nestOptions } from '../../src/http-app.js';
import { fastifyOptions } from '../../src/platform/http/fastify-options.js';
import { createLog } from '../../src/platform/http/server-log.js';
import { newId } from '../../src/platform/new-id.js';
import { createDatabase, type TestDatabase } from './database.js';
import { until } from './wait-for.js';

const ADMIN = 'admin';
const ADMIN_SECRET = 'the-admin-of-the-tests';

interface Options {
  /** Environment variables over the tests' own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Another app's database, for several instances on one; default: one of its own. */
  readonly database?: TestDatabase;
  /** Puts something else in a provider's place. */
  readonly override?: (builder: TestingModuleBuilder) => TestingModuleBuilder;
}

interface Call {
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The JSON that was answered, or the text; undefined if nothing was. */
  readonly body: unknown;
}

/** The real application, behind HTTP on a port of its own. */
export class TestApp {
  private readonly seen = new Set<string>();
  private readonly aborted = new Set<string>();

  constructor(
    readonly app: NestFastifyApplication,
    readonly database: TestDatabase,
    private readonly release: () => Promise<void>,
  ) {
    const fastify = app.getHttpAdapter().getInstance();
    fastify.addHook('preHandler', async (request, reply) => {
      this.seen.add(request.id);
      reply.raw.once('close', () => {
        if (!reply.raw.writableFinished) this.aborted.add(request.id);
      });
    });
  }

  /** Without a slash at its end. */
  get url(): string {
    const address = this.app.getHttpServer().address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return `http://127.0.0.1:${address.port}`;
  }

  adminToken(): Promise<string> {
    return this.token(ADMIN, ADMIN_SECRET);
  }

  async token(clientId: string, secret: string): Promise<string> {
    const body = { grant_type: 'client_credentials', client_id: clientId, client_secret: secret };
    const answer = await this.http('POST', '/api/v1/auth/token', { body });
    if (answer.status !== 200) throw new Error(`no token: ${JSON.stringify(answer.body)}`);
    return (answer.body as { access_token: string }).access_token;
  }

  async http(method: string, path: string, { token, body, headers = {} }: Call = {}): Promise<Answer> {
    const answer = await fetch(this.url + path, {
      method,
      headers: headersOf(token, body, headers),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const json = answer.headers.get('content-type')?.includes('json') === true;
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      body: text === '' ? undefined : json ? (JSON.parse(text) as unknown) : text,
    };
  }

  /** Sends a request and goes away when the server has begun with it; resolves when the server has noticed. */
  async abandon(method: string, path: string, { token, body, headers = {} }: Call = {}): Promise<void> {
    const id = newId();
    const all = headersOf(token, body, { ...headers, 'x-correlation-id': id });
    const request = httpRequest(this.url + path, { method, headers: all });
    request.on('error', () => {});
    request.end(body === undefined ? undefined : JSON.stringify(body));
    await until(() => this.seen.has(id));
    const closed = new Promise((resolve) => request.once('close', resolve));
    request.destroy();
    await closed;
    await until(() => this.aborted.has(id));
  }

  async close(): Promise<void> {
    await this.app.close();
    await this.release();
  }
}

/** Starts it; `close` it in `afterAll`. */
export async function startApp({ env = {}, database, override }: Options = {}): Promise<TestApp> {
  const db = database ?? (await createDatabase());
  const config = new AppConfig({
    LOG_LEVEL: 'silent',
    PARLEY_ADMIN_CLIENT_ID: ADMIN,
    PARLEY_ADMIN_CLIENT_SECRET: ADMIN_SECRET,
    ...env,
  });
  const log = createLog(config.env.LOG_LEVEL);
  const builder = Test.createTestingModule({ imports: [AppModule.create(config, db.connection)] });
  const module = await (override?.(builder) ?? builder).compile();
  const app = module.createNestApplication<NestFastifyApplication>(
    new FastifyAdapter(fastifyOptions()),
    nestOptions(log),
  );
  const running = new TestApp(furnish(app, log), db, async () => {
    if (database === undefined) await db.drop();
  });
  await app.listen(0, '127.0.0.1');
  return running;
}

function headersOf(
  token: string | undefined,
  body: unknown,
  more: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...more,
  };
}
