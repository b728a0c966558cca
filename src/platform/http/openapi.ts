import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { ErrorResponse, ProblemResponse } from './error.dto.js';
import { documentAnswers } from './openapi-answers.js';
import { documentIdempotency } from './openapi-idempotency.js';
import { linkCreations } from './openapi-links.js';
import { operationsOf } from './openapi-operations.js';
import { closeBodies, documentRequest } from './openapi-requests.js';

/** Serves the document at /openapi.json and, with the bundled UI (no CDN), at /docs. It is built at the first request. */
export function serveOpenApi(app: NestFastifyApplication): void {
  SwaggerModule.setup('docs', app, () => openApiDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'Parley API',
  });
}

/** The OpenAPI document of every route there is, each with all that routes have in common. */
function openApiDocument(app: NestFastifyApplication): OpenAPIObject {
  const about = new DocumentBuilder()
    .setTitle('Parley')
    .setDescription('The self-hosted backbone of a fleet of AI agents.')
    .setVersion('1')
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer('/')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' })
    .build();
  const document = SwaggerModule.createDocument(app, about, {
    extraModels: [ErrorResponse, ProblemResponse],
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}`,
  });
  const operations = operationsOf(document);
  for (const { path, method, operation } of operations) {
    documentAnswers(operation, path, method);
    documentRequest(operation);
    documentIdempotency(operation, method);
  }
  closeBodies(document, operations);
  linkCreations(document, operations);
  const tags = new Set(operations.flatMap(({ operation }) => operation.tags ?? []));
  return { ...document, tags: [...tags].toSorted().map((name) => ({ name })) };
}
