import { Body, Controller, HttpCode, Param, Post, Req } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { Caller, Named, type NamedProject, projectForRead, Scopes } from '../../auth/index.js';
import { Refuses } from '../../platform/http/refuses.decorator.js';
import { Rules } from '../../platform/http/rules.decorator.js';
import { validationFailed } from '../../shared/domain-error.js';
import type { AgentResponse } from '../domain/request.js';
import { ResponseDto } from '../dto/request.dto.js';
import { sizeOf } from '../posting.js';
import { RequestReads } from '../request-reads.service.js';
import { RequestsService } from '../requests.service.js';
import { StoredResponseDto } from './request-answers.dto.js';

const RULES = [
  '`request_id` is the id in the path (400).',
  'The request is yours to answer (403), and open: answered by nobody yet, and in time (409).',
] as const;

/** Where the target of a request answers: under either of two names. */
@ApiTags('requests')
@Controller('api/v1')
export class ResponsesController {
  constructor(
    private readonly requests: RequestsService,
    private readonly reads: RequestReads,
  ) {}

  @Post('requests/:id/response')
  @HttpCode(200)
  @Scopes('events:publish')
  @ApiOkResponse({ type: StoredResponseDto })
  @Refuses('NOT_FOUND', 'CONFLICT', 'INVALID_TRANSITION')
  @Rules(...RULES)
  @ApiOperation({ summary: 'Answer a request, as its target; the same response again is answered as before' })
  respond(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
    @Body() body: ResponseDto,
    @Req() request: FastifyRequest,
  ): Promise<AgentResponse> {
    return this.answer(caller, named, id, body, request);
  }

  @Post('callbacks/:id')
  @HttpCode(200)
  @Scopes('events:publish')
  @ApiOkResponse({ type: StoredResponseDto })
  @Refuses('NOT_FOUND', 'CONFLICT', 'INVALID_TRANSITION')
  @Rules(...RULES)
  @ApiOperation({ summary: 'The same, at the address that a request’s `callback_url` names' })
  callBack(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
    @Body() body: ResponseDto,
    @Req() request: FastifyRequest,
  ): Promise<AgentResponse> {
    return this.answer(caller, named, id, body, request);
  }

  private async answer(
    caller: Caller,
    named: NamedProject,
    id: string,
    { project_id: _project, request_id: about = id, ...response }: ResponseDto,
    request: FastifyRequest,
  ): Promise<AgentResponse> {
    if (about !== id)
      throw validationFailed([{ path: '/request_id', message: 'must be the id in the path' }]);
    const key = await this.reads.locate(projectForRead(caller, named), id);
    return this.requests.respond(caller, key, response, sizeOf(request));
  }
}
