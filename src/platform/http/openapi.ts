import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { ERROR_STATUS, type ErrorCode } from '../../shared/error-codes.js';
import { ErrorResponse } from './error.dto.js';
import { REFUSES } from './refuses.decorator.js';

type PathItem = OpenAPIObject['paths'][string];
type Operation = NonNullable<PathItem['get']>;
type ResponseObject = Extract<Operation['responses'][string], { description: string }>;

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

const CORRELATION_HEADER = {
  'X-Correlation-Id': { description: 'Echoed, or made here.', schema: { type: 'string' as const } },
};

/** Serves the document at /openapi.json and, with the bundled UI (no CDN), at /docs. It is built at the first request. */
export function serveOpenApi(app: NestFastifyApplication): void {
  SwaggerModule.setup('docs', app, () => openApiDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'Parley API',
  });
}

/** The OpenAPI document of every route there is, each with all its errors. */
function openApiDocument(app: NestFastifyApplication): OpenAPIObject {
  const about = new DocumentBuilder()
    .setTitle('Parley')
    .setDescription('The self-hosted backbone of a fleet of AI agents.')
    .setVersion('1')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' })
    .build();
  const document = SwaggerModule.createDocument(app, about, {
    extraModels: [ErrorResponse],
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}`,
  });
  for (const path of Object.values(document.paths)) {
    for (const method of METHODS) {
      const operation = path[method];
      if (operation !== undefined) documentAnswers(operation);
    }
  }
  return document;
}

function documentAnswers(operation: Operation): void {
  for (const [status, response] of Object.entries(refusalsOf(operation)))
    operation.responses[status] ??= response;
  for (const response of Object.values(operation.responses)) {
    if (response !== undefined && 'description' in response)
      response.headers = { ...CORRELATION_HEADER, ...response.headers };
  }
}

function refusalsOf(operation: Operation): Record<string, ResponseObject> {
  const byStatus: Record<string, ErrorCode[]> = {};
  for (const code of codesOf(operation)) (byStatus[ERROR_STATUS[code]] ??= []).push(code);
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, codes]) => [status, refusal(Number(status), codes)]),
  );
}

function codesOf(operation: Operation): Set<ErrorCode> {
  const codes = new Set<ErrorCode>(['SERVICE_UNAVAILABLE']);
  const takesBody = operation.requestBody !== undefined;
  if (operation.security !== undefined) codes.add('AUTHENTICATION_FAILED').add('FORBIDDEN');
  if (takesBody) codes.add('PAYLOAD_TOO_LARGE').add('UNSUPPORTED_MEDIA_TYPE');
  if (takesBody || (operation.parameters ?? []).length > 0) codes.add('VALIDATION_FAILED');
  const extensions: Record<string, unknown> = { ...operation };
  const declared = extensions[REFUSES];
  // Only @Refuses writes this extension.
  for (const code of Array.isArray(declared) ? (declared as ErrorCode[]) : []) codes.add(code);
  Reflect.deleteProperty(operation, REFUSES);
  return codes;
}

function refusal(status: number, codes: readonly ErrorCode[]): ResponseObject {
  const schema = { $ref: '#/components/schemas/ErrorResponse' };
  const examples = Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code) }]));
  return {
    description: codes.join(', '),
    ...(status === 429 || status === 503
      ? { headers: { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } } } }
      : {}),
    content: { 'application/json': { schema, examples } },
  };
}

function exampleOf(code: ErrorCode): unknown {
  const details = code === 'VALIDATION_FAILED' ? { errors: [{ path: '/id', message: 'is required' }] } : {};
  return {
    error: {
      code,
      message: 'What went wrong, for people.',
      details,
      correlation_id: '01934b1c-7a52-7c3e-9d6f-0a1b2c3d4e5f',
      timestamp: '2025-01-15T12:00:00.000Z',
    },
  };
}
