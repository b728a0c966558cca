import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, Get, Module, Param, Post } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppConfig } from '../../config/app-config.js';
import { createHttpApp } from '../../src/http-app.js';
import { Drain } from '../../src/platform/health/drain.service.js';
import { HealthModule } from '../../src/platform/health/health.module.js';
import { Readiness } from '../../src/platform/health/readiness.service.js';
import { EventCursor } from '../../src/platform/http/event-cursor.port.js';
import { JsonField, TextField } from '../../src/platform/http/fields.js';
import { Refuses } from '../../src/platform/http/refuses.decorator.js';
import { Public } from '../../src/platform/http/route-config.decorator.js';
import { DomainError } from '../../src/shared/domain-error.js';
import type { ErrorCode } from '../../src/shared/error-codes.js';
import { talk } from '../support/raw-http.js';

class Note {
  @TextField({ about: 'Text.', max: 20 })
  text: string;

  @JsonField({ about: 'Anything.', optional: true })
  data?: Record<string, unknown>;
}

@Controller('api/v1/probe')
class ProbeController {
  @Get(':id')
  @Public()
  @Refuses('CONFLICT', 'STALE_LEASE')
  read(@Param('id') id: string): unknown {
    if (id === 'defect') throw new Error('SELECT * FROM secrets');
    if (id === 'away') throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
    if (id === 'busy') throw new DomainError('AGENT_UNAVAILABLE', 'Gone.', { retry_after: 60 });
    return { id };
  }

  @Post()
  @Public()
  write(@Body() note: Note): Note {
    return note;
  }
}

@Module({})
class ProbeModule {}

interface Refusal {
  readonly error: {
    code: ErrorCode;
    message: string;
    details: Record<string, unknown>;
    correlation_id: string;
  };
}

let app: NestFastifyApplication;
let url: string;

async function startProbe(): Promise<{ app: NestFastifyApplication; url: string }> {
  const started = await createHttpApp(new AppConfig({ LOG_LEVEL: 'silent' }), {
    module: ProbeModule,
    imports: [HealthModule],
    controllers: [ProbeController],
    providers: [{ provide: EventCursor, useValue: { current: () => 'c-7' } }],
  });
  await started.listen(0, '127.0.0.1');
  return { app: started, url: await started.getUrl() };
}

const json = (body: string): RequestInit => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body,
});

beforeAll(async () => {
  ({ app, url } = await startProbe());
});

afterAll(() => app.close());

describe('a request that fails', () => {
  it.each<[string, string, RequestInit, number, ErrorCode]>([
    ['an unknown route', '/api/v1/nothing', {}, 404, 'NOT_FOUND'],
    ['a method that the route does not have', '/api/v1/probe', { method: 'PUT' }, 405, 'METHOD_NOT_ALLOWED'],
    ['a URL that cannot be decoded', '/api/v1/probe/%zz', {}, 400, 'VALIDATION_FAILED'],
    ['a NUL in the URL', '/api/v1/probe/a%00b', {}, 400, 'VALIDATION_FAILED'],
    ['a URL part that is too long', `/api/v1/probe/${'a'.repeat(2000)}`, {}, 400, 'VALIDATION_FAILED'],
    ['malformed JSON', '/api/v1/probe', json('{"text":'), 400, 'VALIDATION_FAILED'],
    ['an empty body', '/api/v1/probe', json(''), 400, 'VALIDATION_FAILED'],
    ['no body', '/api/v1/probe', { method: 'POST' }, 400, 'VALIDATION_FAILED'],
    ['null', '/api/v1/probe', json('null'), 400, 'VALIDATION_FAILED'],
    ['a list', '/api/v1/probe', json('[]'), 400, 'VALIDATION_FAILED'],
    ['an unknown field', '/api/v1/probe', json('{"text":"a","more":1}'), 400, 'VALIDATION_FAILED'],
    [
      'a poisoned key',
      '/api/v1/probe',
      json('{"text":"a","data":{"__proto__":{}}}'),
      400,
      'VALIDATION_FAILED',
    ],
    ['a NUL in the body', '/api/v1/probe', json('{"text":"\\u0000"}'), 400, 'VALIDATION_FAILED'],
    [
      'deep JSON',
      '/api/v1/probe',
      json(`{"text":"a","data":{"x":${'['.repeat(5000)}`),
      400,
      'VALIDATION_FAILED',
    ],
    ['a body over 1 MiB', '/api/v1/probe', json(`"${'x'.repeat(1024 * 1024)}"`), 413, 'PAYLOAD_TOO_LARGE'],
    ['a text body', '/api/v1/probe', { method: 'POST', body: 'hello' }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
    [
      'a form',
      '/api/v1/probe',
      { method: 'POST', body: new URLSearchParams('text=a') },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['a defect', '/api/v1/probe/defect', {}, 500, 'INTERNAL_ERROR'],
    ['a database that is away', '/api/v1/probe/away', {}, 503, 'SERVICE_UNAVAILABLE'],
  ])('by %s is answered with the standard envelope', async (_, path, init, status, code) => {
    const response = await fetch(url + path, init);
    const { error } = (await response.json()) as Refusal;
    expect([response.status, error.code]).toEqual([status, code]);
    expect(Object.keys(error)).toEqual(['code', 'message', 'details', 'correlation_id', 'timestamp']);
    expect(response.headers.get('x-correlation-id')).toBe(error.correlation_id);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(error.message).not.toContain('SELECT');
  });

  it('says which methods are allowed, and when to come back', async () => {
    expect((await fetch(`${url}/api/v1/probe`, { method: 'DELETE' })).headers.get('allow')).toBe('POST');
    expect((await fetch(`${url}/api/v1/probe/x`, { method: 'DELETE' })).headers.get('allow')).toBe(
      'GET, HEAD',
    );
    expect((await fetch(`${url}/api/v1/probe/away`)).headers.get('retry-after')).toBe('1');
    expect((await fetch(`${url}/api/v1/probe/busy`)).headers.get('retry-after')).toBe('60');
  });

  it('is answered as RFC 9457 has it when the client asks for that', async () => {
    const response = await fetch(`${url}/api/v1/nothing`, {
      headers: { Accept: 'application/problem+json' },
    });
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(await response.json()).toMatchObject({ status: 404, title: 'Not Found', code: 'NOT_FOUND' });
  });

  it.each([
    ['headers that are too large', `GET / HTTP/1.1\r\nHost: x\r\nX-Big: ${'a'.repeat(20_000)}\r\n\r\n`, 413],
    ['what is not HTTP', 'HELLO THERE\r\n\r\n', 400],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
    ],
  ])('by %s is answered before it becomes a request', async (_, bytes, status) => {
    const [head = '', body = ''] = (await talk(url, bytes)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    const { error } = JSON.parse(body) as Refusal;
    expect(head).toContain(`X-Correlation-Id: ${error.correlation_id}`);
  });
});

describe('every answer', () => {
  it('carries the correlation id that was sent, if it is one', async () => {
    const idFor = async (sent: string): Promise<string | null> =>
      (await fetch(`${url}/health/live`, { headers: { 'X-Correlation-Id': sent } })).headers.get(
        'x-correlation-id',
      );
    expect(await idFor('workflow-123')).toBe('workflow-123');
    expect(await idFor('a'.repeat(129))).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(await idFor('two words')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  });

  it('to a GET of the API says where the log was before the read', async () => {
    expect((await fetch(`${url}/api/v1/probe/x`)).headers.get('x-event-cursor')).toBe('c-7');
    expect((await fetch(`${url}/health/live`)).headers.get('x-event-cursor')).toBeNull();
  });
});

describe('the documentation', () => {
  it('names every way a route can refuse, with the envelope and examples', async () => {
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as {
      paths: Record<
        string,
        Record<string, { responses: Record<string, { content?: Record<string, { examples: object }> }> }>
      >;
    };
    const read = document.paths['/api/v1/probe/{id}']?.['get']?.responses ?? {};
    expect(Object.keys(read)).toEqual(['200', '400', '409', '429', '503']);
    expect(Object.keys(read['409']?.content?.['application/json']?.examples ?? {})).toEqual([
      'CONFLICT',
      'STALE_LEASE',
    ]);
    expect(Object.keys(document.paths['/api/v1/probe']?.['post']?.responses ?? {})).toEqual([
      '201',
      '400',
      '413',
      '415',
      '429',
      '503',
    ]);
  });

  it('comes with its own scripts and styles', async () => {
    const page = await (await fetch(`${url}/docs`)).text();
    const assets = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, asset]) => asset ?? '');
    expect(assets.length).toBeGreaterThan(2);
    for (const asset of assets) {
      const location = new URL(asset, `${url}/docs`);
      expect(location.origin).toBe(url);
      expect((await fetch(location)).status).toBe(200);
    }
  });
});

describe('health', () => {
  it('is alive, and ready as long as every check works', async () => {
    expect(await (await fetch(`${url}/health/live`)).json()).toEqual({ status: 'live' });
    let works = true;
    app.get(Readiness).add('thing', () => (works ? Promise.resolve() : Promise.reject(new Error('secret'))));
    const ready = await fetch(`${url}/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { status: 'ready', checks: { accepting: 'ok', thing: 'ok' } },
    ]);
    works = false;
    const broken = await fetch(`${url}/health/ready`);
    expect([broken.status, await broken.json()]).toEqual([
      503,
      { status: 'not_ready', checks: { accepting: 'ok', thing: 'failed' } },
    ]);
  });
});

describe('a server that is asked to stop', () => {
  it('refuses new requests, finishes the one in flight, and is idle then', async () => {
    const stopping = await startProbe();
    const body = JSON.stringify({ text: 'in flight' });
    const socket = connect(Number(new URL(stopping.url).port), '127.0.0.1');
    let heard = '';
    socket.on('data', (chunk) => (heard += chunk.toString()));
    const head = `POST /api/v1/probe HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    socket.write(head);
    // An answer on another connection means that the server has read what was sent before.
    await fetch(`${stopping.url}/health/live`);

    let idle = false;
    const drained = stopping.app
      .get(Drain)
      .start()
      .then(() => (idle = true));
    const refused = await fetch(`${stopping.url}/api/v1/probe/x`);
    expect([refused.status, refused.headers.get('connection'), refused.headers.get('retry-after')]).toEqual([
      503,
      'close',
      '1',
    ]);
    expect(((await refused.json()) as Refusal).error.code).toBe('SERVICE_UNAVAILABLE');
    expect((await fetch(`${stopping.url}/health/live`)).status).toBe(200);
    expect((await fetch(`${stopping.url}/health/ready`)).status).toBe(503);
    expect(idle).toBe(false);

    socket.write(body);
    await drained;
    await once(socket, 'close');
    expect(heard).toMatch(/^HTTP\/1.1 201 /);
    expect(heard.toLowerCase()).toContain('connection: close');
    expect(heard).toContain('in flight');
    await stopping.app.close();
  });
});
