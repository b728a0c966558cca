import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { ApiPage, decodeCursor, type Page, pageOf } from '../../platform/http/page.js';
import { Refuses } from '../../platform/http/refuses.decorator.js';
import { Rules } from '../../platform/http/rules.decorator.js';
import { newId } from '../../platform/new-id.js';
import { notFound, validationFailed } from '../../shared/domain-error.js';
import { ANY_PROJECT } from '../../shared/ids.js';
import { type ClientRow, ClientsRepository } from '../clients.repository.js';
import { newCredential } from '../credentials.js';
import { ADMIN, parseScopes, type Scope, SCOPES } from '../scopes.js';
import { Scopes } from '../scopes.decorator.js';
import { ClientResource, ClientsQuery, CreateClient, CreatedClient } from './clients.dto.js';

@ApiTags('auth')
@Controller('api/v1/auth/clients')
export class ClientsController {
  constructor(private readonly clients: ClientsRepository) {}

  @Post()
  @Scopes('admin')
  @ApiOperation({ summary: 'Make a client; its secret is shown this once' })
  @ApiCreatedResponse({ type: CreatedClient })
  @Rules('`scope` holds scopes that exist; `admin` needs the project `*`.')
  async create(
    @Body() body: CreateClient,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CreatedClient> {
    const scopes = scopesOf(body);
    const client = {
      clientId: newId(),
      projectId: body.project_id,
      name: body.name,
      kind: scopes.includes(ADMIN) ? ('admin' as const) : ('client' as const),
      agentId: null,
      scopes,
    };
    const created = await this.clients.create(client, newCredential());
    reply.header('Location', `/api/v1/auth/clients/${created.client_id}`);
    reply.header('Cache-Control', 'no-store');
    return created;
  }

  @Get()
  @Scopes('admin')
  @ApiOperation({ summary: 'All clients, those of agents included' })
  @ApiPage(ClientResource)
  async list(@Query() query: ClientsQuery): Promise<Page<ClientRow>> {
    const { limit, cursor, created_after, created_before, project_id } = query;
    const filter = {
      projectId: project_id ?? null,
      createdAfter: created_after ?? null,
      createdBefore: created_before ?? null,
    };
    const rows = await this.clients.list(filter, limit, decodeCursor(cursor));
    return pageOf(
      rows,
      limit,
      (row) => ({ createdAt: row.created_at, id: row.client_id }),
      (row) => row,
    );
  }

  @Delete(':id')
  @Scopes('admin')
  @HttpCode(204)
  @ApiOperation({ summary: 'Remove a client: it gets no more tokens' })
  @ApiNoContentResponse()
  @ApiParam({
    name: 'id',
    schema: { type: 'string', minLength: 1, maxLength: 300 },
    example: 'proj-456/agent-001',
  })
  @Refuses('NOT_FOUND')
  async delete(@Param('id') id: string): Promise<void> {
    if (!(await this.clients.delete(id))) throw notFound('client', id);
  }
}

function scopesOf({ scope, project_id }: CreateClient): Scope[] {
  const scopes = parseScopes(scope);
  if (scopes === undefined || scopes.length === 0) {
    throw validationFailed([{ path: '/scope', message: `must hold some of ${SCOPES.join(' ')}` }]);
  }
  // An admin makes clients of every project, so one that is bound to a project could leave it.
  if (scopes.includes(ADMIN) && project_id !== ANY_PROJECT) {
    throw validationFailed([{ path: '/project_id', message: 'must be * for the scope admin' }]);
  }
  return scopes;
}
