import { Body, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Caller, Named, type NamedProject, Scopes } from '../../auth/index.js';
import { Refuses } from '../../platform/http/refuses.decorator.js';
import { Rules } from '../../platform/http/rules.decorator.js';
import { MessageDto } from '../dto/message.dto.js';
import type { Envelope } from '../envelope.js';
import { MessagesService } from '../messages.service.js';
import { postedOverHttp } from '../posting.js';
import { EnvelopeDto } from './events.dto.js';

@ApiTags('messages')
@Controller('api/v1/messages')
export class MessagesController {
  constructor(private readonly messages: MessagesService) {}

  @Post()
  @HttpCode(202)
  @Scopes('events:publish')
  @ApiAcceptedResponse({ type: EnvelopeDto })
  @ApiOkResponse({ type: EnvelopeDto, description: 'The same message was sent before.' })
  @Refuses('NOT_FOUND', 'CONFLICT')
  @Rules(
    '`target_agent` is an agent that was registered (404), if only once; `source_agent` too, and yours to speak for (403).',
  )
  @ApiOperation({
    summary: 'Send an agent a message; it waits in the agent’s mailbox, and nobody else sees it',
  })
  async send(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Body() { project_id: _project, ...body }: MessageDto,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope> {
    const posting = postedOverHttp(caller, named, request);
    const { envelope, created } = await this.messages.send(caller, body, posting);
    reply.code(created ? 202 : 200);
    return envelope;
  }
}
