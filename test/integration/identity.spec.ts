import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Module, Post } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createRemoteJWKSet, decodeProtectedHeader, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { AppConfig } from '../../config/app-config.js';
import { AuthModule, Caller, FirstAdmin, Scopes, Tokens } from '../../src/auth/index.js';
import { ClientsRepository } from '../../src/auth/clients.repository.js';
import { SigningKeys } from '../../src/auth/signing-keys.service.js';
import { createHttpApp } from '../../src/http-app.js';
import { Database } from '../../src/platform/database/database.js';
import { DatabaseConnection } from '../../src/platform/database/database-connection.js';
import { DatabaseModule } from '../../src/platform/database/database.module.js';
import { HealthModule } from '../../src/platform/health/health.module.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

@Controller('api/v1/probe')
class ProbeController {
  @Get('closed')
  closed(): string {
    return 'nobody reads this';
  }

  @Post('work')
  @Scopes('tasks:write', 'tasks:execute')
  work(@Caller() caller: Caller): unknown {
    return { client: caller.clientId, project: caller.projectId, agent: caller.agentId };
  }
}

@Module({})
class IdentityModule {}

const admin = { client_id: 'admin', client_secret: 'a secret of these tests' };
let database: TestDatabase;
let app: NestFastifyApplication;
let url: string;

const get = <T>(token: abstract new (...args: never[]) => T): T => app.get<T>(token, { strict: false });

beforeAll(async () => {
  database = await createDatabase();
  const config = new AppConfig({ LOG_LEVEL: 'silent', PARLEY_ADMIN_CLIENT_SECRET: admin.client_secret });
  app = await createHttpApp(config, {
    module: IdentityModule,
    global: true,
    imports: [HealthModule, DatabaseModule, AuthModule],
    controllers: [ProbeController],
    providers: [
      { provide: AppConfig, useValue: config },
      { provide: DatabaseConnection, useValue: database.connection },
    ],
    exports: [AppConfig, DatabaseConnection],
  });
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
});

afterAll(async () => {
  await app.close();
  await database.drop();
});

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Whatever JSON came; tests look into it. */
  readonly body: Record<string, unknown>;
}

async function call(
  method: string,
  path: string,
  init: { token?: string; body?: unknown } = {},
): Promise<Answer> {
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(init.token === undefined ? {} : { Authorization: `Bearer ${init.token}` }),
      ...(init.body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(init.body === undefined
      ? {}
      : { body: typeof init.body === 'string' ? init.body : JSON.stringify(init.body) }),
  });
  const text = await response.text();
  const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  return { status: response.status, headers: response.headers, body };
}

async function tokenFor(credentials: object): Promise<string> {
  const { status, body } = await call('POST', '/api/v1/auth/token', { body: credentials });
  expect(status).toBe(200);
  return String(body['access_token']);
}

async function newClient(
  project: string,
  scope: string,
): Promise<{ client_id: string; client_secret: string }> {
  const token = await tokenFor(admin);
  const { status, body } = await call('POST', '/api/v1/auth/clients', {
    token,
    body: { name: 'Test', project_id: project, scope },
  });
  expect(status).toBe(201);
  return { client_id: String(body['client_id']), client_secret: String(body['client_secret']) };
}

const codeOf = ({ status, body }: Answer): unknown => [status, (body['error'] as { code: string }).code];

describe('a token', () => {
  it('is got with client credentials, and says who, for which project and what for', async () => {
    const client = await newClient('proj-456', 'tasks:read tasks:write');
    const { headers, body } = await call('POST', '/api/v1/auth/token', { body: client });
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'tasks:read tasks:write',
    });
    expect(headers.get('cache-control')).toBe('no-store');

    const token = String(body['access_token']);
    expect(decodeProtectedHeader(token)).toMatchObject({
      alg: 'RS256',
      typ: 'at+jwt',
      kid: expect.any(String),
    });
    const keys = createRemoteJWKSet(new URL(`${url}/.well-known/jwks.json`));
    const { payload } = await jwtVerify(token, keys, { issuer: 'parley', audience: 'parley', typ: 'at+jwt' });
    expect(payload).toMatchObject({
      sub: client.client_id,
      client_id: client.client_id,
      project_id: 'proj-456',
      scope: 'tasks:read tasks:write',
      jti: expect.any(String),
    });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(3600);
  });

  it('is got by form and HTTP Basic as well, with less than the client has', async () => {
    const client = await newClient('proj-456', 'tasks:read tasks:write');
    const response = await fetch(`${url}/api/v1/auth/token`, {
      method: 'POST',
      headers: { Authorization: `Basic ${btoa(`${client.client_id}:${client.client_secret}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'tasks:read' }),
    });
    expect([response.status, await response.json()]).toMatchObject([200, { scope: 'tasks:read' }]);
  });

  it.each<[string, object | string, number, string]>([
    ['an unknown client', { client_id: 'nobody', client_secret: 'secret-key' }, 401, 'invalid_client'],
    ['no credentials', {}, 401, 'invalid_client'],
    ['another grant', { grant_type: 'password' }, 400, 'unsupported_grant_type'],
    ['a broken body', '{"client_id"', 400, 'invalid_request'],
    ['a body that is too large', JSON.stringify('x'.repeat(1024 * 1024)), 413, 'invalid_request'],
  ])('is refused in the words of RFC 6749 for %s', async (_, body, status, error) => {
    const answer = await call('POST', '/api/v1/auth/token', { body });
    expect([answer.status, answer.body]).toEqual([status, { error, error_description: expect.any(String) }]);
    expect(answer.headers.get('x-correlation-id')).not.toBeNull();
  });

  it('is refused for a wrong secret, and for a scope that the client does not have', async () => {
    const client = await newClient('proj-456', 'tasks:read');
    const wrong = await fetch(`${url}/api/v1/auth/token`, {
      method: 'POST',
      headers: { Authorization: `Basic ${btoa(`${client.client_id}:wrong`)}` },
    });
    expect([wrong.status, wrong.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="parley"']);
    const greedy = await call('POST', '/api/v1/auth/token', {
      body: { ...client, scope: 'tasks:read admin' },
    });
    expect([greedy.status, greedy.body['error']]).toEqual([400, 'invalid_scope']);
  });

  it('is where RFC 8414 says', async () => {
    const { body } = await call('GET', '/.well-known/oauth-authorization-server');
    expect(body).toMatchObject({
      token_endpoint: `${url}/api/v1/auth/token`,
      jwks_uri: `${url}/.well-known/jwks.json`,
    });
  });
});

describe('a route', () => {
  it('is closed when it declares no scope, even to the admin', async () => {
    expect(codeOf(await call('GET', '/api/v1/probe/closed', { token: await tokenFor(admin) }))).toEqual([
      403,
      'FORBIDDEN',
    ]);
  });

  it('opens to one of its scopes, and to the admin', async () => {
    const agent = await newClient('proj-456', 'tasks:execute');
    const answer = await call('POST', '/api/v1/probe/work', { token: await tokenFor(agent) });
    expect([answer.status, answer.body]).toEqual([
      201,
      { client: agent.client_id, project: 'proj-456', agent: null },
    ]);
    expect((await call('POST', '/api/v1/probe/work', { token: await tokenFor(admin) })).status).toBe(201);

    const reader = await tokenFor(await newClient('proj-456', 'tasks:read'));
    expect(codeOf(await call('POST', '/api/v1/probe/work', { token: reader }))).toEqual([403, 'FORBIDDEN']);
    expect(codeOf(await call('GET', '/api/v1/auth/clients', { token: reader }))).toEqual([403, 'FORBIDDEN']);
  });

  it('asks who calls before it looks at what is sent', async () => {
    const body = '{"broken';
    expect(codeOf(await call('POST', '/api/v1/auth/clients', { body }))).toEqual([
      401,
      'AUTHENTICATION_FAILED',
    ]);
    const reader = await tokenFor(await newClient('proj-456', 'tasks:read'));
    expect(codeOf(await call('POST', '/api/v1/auth/clients', { body, token: reader }))).toEqual([
      403,
      'FORBIDDEN',
    ]);
    const token = await tokenFor(admin);
    expect(codeOf(await call('POST', '/api/v1/auth/clients', { body, token }))).toEqual([
      400,
      'VALIDATION_FAILED',
    ]);
  });
});

describe('a forged token', () => {
  const claims = { client_id: 'admin', project_id: '*', scope: 'admin' };
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const in1Hour = (): number => Math.floor(Date.now() / 1000) + 3600;

  async function sign(
    change: {
      header?: object;
      claims?: JWTPayload;
      key?: KeyObject | Uint8Array;
      expires?: number | null;
    } = {},
  ): Promise<string> {
    const { kid, privateKey } = await get(SigningKeys).active();
    const jwt = new SignJWT({ iss: 'parley', aud: 'parley', sub: 'admin', ...claims, ...change.claims });
    jwt.setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid, ...change.header });
    if (change.expires !== null) jwt.setExpirationTime(change.expires ?? in1Hour());
    return jwt.sign(change.key ?? privateKey, { crit: { b64: true, odd: true } });
  }

  const publicPem = async (): Promise<Buffer> => {
    const key = createPublicKey((await get(SigningKeys).active()).privateKey);
    return Buffer.from(key.export({ type: 'spki', format: 'pem' }));
  };

  it('is nothing that these tests sign by mistake: the same with nothing wrong is let in', async () => {
    expect((await call('GET', '/api/v1/auth/clients', { token: await sign() })).status).toBe(200);
  });

  it.each<[string, () => string | Promise<string>]>([
    [
      'no signature',
      () => `${base64({ alg: 'none', typ: 'at+jwt' })}.${base64({ ...claims, exp: in1Hour() })}.`,
    ],
    [
      'none, and our key id',
      async () => (await sign()).replace(/^[^.]+/, base64({ alg: 'none', typ: 'at+jwt' })),
    ],
    ['HS256 with the public key', async () => sign({ header: { alg: 'HS256' }, key: await publicPem() })],
    ['PS256', () => sign({ header: { alg: 'PS256' } })],
    ['another type', () => sign({ header: { typ: 'JWT' } })],
    ['no type', () => sign({ header: { typ: undefined } })],
    ['another audience', () => sign({ claims: { aud: 'somebody' } })],
    ['another issuer', () => sign({ claims: { iss: 'somebody' } })],
    ['an end in the past', () => sign({ expires: Math.floor(Date.now() / 1000) - 1 })],
    ['no end', () => sign({ expires: null })],
    ['a start in the future', () => sign({ claims: { nbf: in1Hour() } })],
    ['an unknown critical header', () => sign({ header: { crit: ['odd'], odd: 1 } })],
    ["a stranger's key under our key id", () => sign({ key: stranger.privateKey })],
    [
      "a stranger's key under a key id of its own",
      () => sign({ key: stranger.privateKey, header: { kid: 'mine' } }),
    ],
    [
      "a stranger's key in the header",
      () => sign({ key: stranger.privateKey, header: { jwk: stranger.publicKey.export({ format: 'jwk' }) } }),
    ],
    [
      "a stranger's key at a URL",
      () => sign({ key: stranger.privateKey, header: { jku: 'http://127.0.0.1:1/jwks' } }),
    ],
    ['a key id that is a path', () => sign({ header: { kid: '../../dev/null' } })],
    ['a key id that is SQL', () => sign({ header: { kid: "' OR 1=1 --" } })],
    ['no key id', () => sign({ header: { kid: undefined } })],
    ['no project', () => sign({ claims: { project_id: undefined } })],
    ['a scope that does not exist', () => sign({ claims: { scope: 'root' } })],
    [
      'a changed payload',
      async () => (await sign()).replace(/\.[^.]+\./, `.${base64({ ...claims, exp: in1Hour() })}.`),
    ],
    ['a cut signature', async () => (await sign()).slice(0, -4)],
    ['a fourth part', async () => `${await sign()}.x`],
    ["the seed's sample", () => 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...'],
    ['nonsense', () => 'x'],
  ])('with %s is refused', async (_, forge) => {
    const token = await forge();
    const answer = await call('GET', '/api/v1/auth/clients', { token });
    expect(codeOf(answer)).toEqual([401, 'AUTHENTICATION_FAILED']);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    await expect(get(Tokens).authenticate(token)).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
  });

  it('is not let in by a header of another form', async () => {
    const token = await sign();
    for (const authorization of ['', 'Bearer', `Basic ${token}`, token, `Bearer ${token} ${token}`]) {
      const response = await fetch(`${url}/api/v1/auth/clients`, {
        headers: { Authorization: authorization },
      });
      expect(response.status).toBe(401);
    }
    expect((await fetch(`${url}/api/v1/auth/clients?access_token=${token}`)).status).toBe(401);
  });
});

describe('the signing key', () => {
  it('is made once, however many processes start at the same moment', async () => {
    const rowsOf = get(Database);
    const others = Array.from({ length: 4 }, () => new SigningKeys(get(AppConfig), rowsOf));
    await rowsOf.query({ name: 'test-forget-keys', text: 'DELETE FROM signing_keys' });
    await rowsOf.query({
      name: 'test-forget-key',
      text: `DELETE FROM server_settings WHERE name = 'signing_key'`,
    });
    const active = await Promise.all(others.map(async (keys) => (await keys.active()).kid));
    expect(new Set(active).size).toBe(1);
    const rows = await rowsOf.query<{ kid: string }>({
      name: 'test-keys',
      text: 'SELECT kid FROM signing_keys',
    });
    expect(rows.map((row) => row.kid)).toEqual([active[0]]);
  });

  it('of another process is learned when its first token comes', async () => {
    const other = new SigningKeys(get(AppConfig), get(Database));
    const { kid } = await other.active();
    const mine = get(SigningKeys);
    // A key that is not known is looked up again after a second at the earliest.
    while ((await mine.publicKey(kid)) === undefined) await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await mine.jwks()).keys.map((key) => key.kid)).toContain(kid);
  });

  it('may come from the environment, if it is a strong RSA key', async () => {
    const pemOf = (bits: number): string =>
      generateKeyPairSync('rsa', { modulusLength: bits })
        .privateKey.export({ type: 'pkcs8', format: 'pem' })
        .toString();
    const keysFor = (pem: string): SigningKeys =>
      new SigningKeys(new AppConfig({ PARLEY_JWT_PRIVATE_KEY: pem }), get(Database));
    const pem = pemOf(2048);
    const { kid } = await keysFor(pem).active();
    expect((await keysFor(pem.replaceAll('\n', '\\n')).active()).kid).toBe(kid);
    await expect(keysFor(pemOf(1024)).active()).rejects.toThrow('PARLEY_JWT_PRIVATE_KEY must be');
    await expect(keysFor('not a key').active()).rejects.toThrow('PARLEY_JWT_PRIVATE_KEY must be');
  });
});

describe('the first admin', () => {
  let dataDir: string;
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'parley-admin-'));
  });
  afterAll(() => rm(dataDir, { recursive: true }));

  const firstAdmin = (id: string): FirstAdmin =>
    new FirstAdmin(
      new AppConfig({ PARLEY_DATA_DIR: dataDir, PARLEY_ADMIN_CLIENT_ID: id }),
      get(ClientsRepository),
    );

  it('is made once and kept in a file that only its owner reads', async () => {
    const starts = [firstAdmin('first'), firstAdmin('first'), firstAdmin('first')];
    await Promise.all(starts.map((start) => start.onModuleInit()));
    const file = join(dataDir, 'admin.json');
    expect(starts[0]?.file).toBe(file);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const kept = JSON.parse(await readFile(file, 'utf8')) as { client_id: string; client_secret: string };
    await firstAdmin('first').onModuleInit();
    const token = await tokenFor(kept);
    expect((await call('GET', '/api/v1/auth/clients', { token })).status).toBe(200);
  });

  it('stops the start with one clear line when the file is spoilt or the id is taken', async () => {
    await writeFile(join(dataDir, 'admin.json'), '{}');
    await expect(firstAdmin('first').onModuleInit()).rejects.toThrow('remove it and a new admin is made');
    const taken = await newClient('proj-456', 'tasks:read');
    await writeFile(join(dataDir, 'admin.json'), JSON.stringify(taken));
    await expect(firstAdmin('first').onModuleInit()).rejects.toThrow('PARLEY_ADMIN_CLIENT_ID must not be');
  });
});

describe('clients', () => {
  it('are made, listed page by page, and removed by the admin', async () => {
    const token = await tokenFor(admin);
    const made = [await newClient('proj-pages', 'tasks:read'), await newClient('proj-pages', 'tasks:read')];
    const first = await call('GET', '/api/v1/auth/clients?project_id=proj-pages&limit=1', { token });
    const cursor = String(first.body['next_cursor']);
    const second = await call('GET', `/api/v1/auth/clients?project_id=proj-pages&limit=1&cursor=${cursor}`, {
      token,
    });
    expect([first.body['items'], second.body['items']]).toMatchObject([
      [{ client_id: made[1]?.client_id, kind: 'client', scope: 'tasks:read' }],
      [{ client_id: made[0]?.client_id }],
    ]);
    expect(second.body['next_cursor']).toBeNull();
    expect(JSON.stringify(first.body)).not.toContain('secret');

    const path = `/api/v1/auth/clients/${made[0]?.client_id}`;
    expect((await call('DELETE', path, { token })).status).toBe(204);
    expect(codeOf(await call('DELETE', path, { token }))).toEqual([404, 'NOT_FOUND']);
    const refused = await call('POST', '/api/v1/auth/token', { body: made[0] });
    expect([refused.status, refused.body['error']]).toEqual([401, 'invalid_client']);
  });

  it.each([
    ['a scope that does not exist', { name: 'a', scope: 'tasks:fly' }, '/scope'],
    ['no scope', { name: 'a', scope: ' ' }, '/scope'],
    ['an admin of one project', { name: 'a', scope: 'admin', project_id: 'p-1' }, '/project_id'],
    ['a project that is no id', { name: 'a', scope: 'tasks:read', project_id: '**' }, '/project_id'],
    ['an undeclared field', { name: 'a', scope: 'tasks:read', kind: 'admin' }, '/kind'],
  ])('are refused with %s', async (_, body, path) => {
    const answer = await call('POST', '/api/v1/auth/clients', { token: await tokenFor(admin), body });
    expect([answer.status, answer.body['error']]).toMatchObject([400, { details: { errors: [{ path }] } }]);
  });
});
