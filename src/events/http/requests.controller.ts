import { Body, Controller, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Caller, Named, type NamedProject, projectForRead, Scopes } from '../../auth/index.js';
import { ApiPage, type Page } from '../../platform/http/page.js';
import { WithPatience } from '../../platform/http/patience.decorator.js';
import { Patience } from '../../platform/http/patience.js';
import { Refuses } from '../../platform/http/refuses.decorator.js';
import { Rules } from '../../platform/http/rules.decorator.js';
import { RequestDto } from '../dto/request.dto.js';
import { postedOverHttp } from '../posting.js';
import { RequestReads } from '../request-reads.service.js';
import { requestView, type RequestView } from '../request-view.js';
import { RequestsService } from '../requests.service.js';
import { RequestAcceptedDto, RequestQuery, RequestsQuery, StoredRequestDto } from './request-answers.dto.js';

@ApiTags('requests')
@Controller('api/v1/requests')
export class RequestsController {
  constructor(
    private readonly requests: RequestsService,
    private readonly reads: RequestReads,
  ) {}

  @Post()
  @HttpCode(202)
  @Scopes('events:publish')
  @ApiAcceptedResponse({ type: RequestAcceptedDto })
  @ApiOkResponse({ type: RequestAcceptedDto, description: 'The same request was posted before.' })
  @Refuses('NOT_FOUND', 'CONFLICT', 'AGENT_UNAVAILABLE')
  @Rules(
    '`callback_url` is `/api/v1/callbacks/` and the request’s own id, or an http or https URL without credentials; that one needs a `source`, which an agent’s own token is (400).',
    '`source` is an agent that was registered (404), and yours to speak for (403); `target` is there to answer (503).',
  )
  @ApiOperation({ summary: 'Ask an agent; it answers within the timeout, once' })
  async create(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Body() { project_id: _project, ...body }: RequestDto,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RequestAcceptedDto> {
    const posting = postedOverHttp(caller, named, request);
    const { request: made, changed } = await this.requests.create(caller, body, posting);
    reply.code(changed ? 202 : 200).header('Location', `/api/v1/requests/${made.id}`);
    return { id: made.id, status: made.status };
  }

  @Get()
  @Scopes('events:read')
  @ApiPage(StoredRequestDto)
  @ApiOperation({
    summary: 'List requests, newest first',
    description:
      'A page may be short, or empty, and still have a `next_cursor`: filters look through 20,000 requests a page.',
  })
  list(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Query() query: RequestsQuery,
  ): Promise<Page<RequestView>> {
    const filter = {
      projectId: projectForRead(caller, named),
      createdAfter: query.created_after,
      createdBefore: query.created_before,
      status: query.status,
      source: query.source,
      target: query.target,
      correlationId: query.correlation_id,
    };
    return this.reads.list(filter, query.limit, query.cursor);
  }

  @Get(':id')
  @Scopes('events:read')
  @ApiOkResponse({ type: StoredRequestDto })
  @Refuses('NOT_FOUND', 'CONFLICT')
  @ApiOperation({ summary: 'Read a request and its response; wait for it' })
  async get(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
    @Query() { wait_ms: waitMs }: RequestQuery,
    @WithPatience() patience: Patience,
  ): Promise<RequestView> {
    const key = await this.reads.locate(projectForRead(caller, named), id);
    return requestView(await this.reads.ended(key, waitMs, patience));
  }
}
