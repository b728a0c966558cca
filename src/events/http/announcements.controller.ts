import { Body, Controller, HttpCode, Post, Req } from '@nestjs/common';
import { ApiAcceptedResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { Caller, Named, type NamedProject, Scopes } from '../../auth/index.js';
import { Refuses } from '../../platform/http/refuses.decorator.js';
import { Rules } from '../../platform/http/rules.decorator.js';
import { AnnouncementsService } from '../announcements.service.js';
import { AlertDto, PublicationDto } from '../dto/publication.dto.js';
import type { Envelope } from '../envelope.js';
import { postedOverHttp } from '../posting.js';
import { EnvelopeDto } from './events.dto.js';

@ApiTags('events')
@Controller('api/v1')
export class AnnouncementsController {
  constructor(private readonly announcements: AnnouncementsService) {}

  @Post('publications')
  @HttpCode(202)
  @Scopes('events:publish')
  @ApiAcceptedResponse({ type: EnvelopeDto })
  @Refuses('NOT_FOUND')
  @Rules('`source_agent` is an agent that was registered (404), and yours to speak for (403).')
  @ApiOperation({ summary: 'Publish on a topic, to all who subscribe to it in the project' })
  publish(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Body() { project_id: _project, ...body }: PublicationDto,
    @Req() request: FastifyRequest,
  ): Promise<Envelope> {
    return this.announcements.publish(caller, body, postedOverHttp(caller, named, request));
  }

  @Post('alerts')
  @HttpCode(202)
  @Scopes('admin')
  @ApiAcceptedResponse({ type: EnvelopeDto })
  @ApiOperation({ summary: 'Tell all who subscribe to `system.alerts` in the project' })
  alert(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Body() { project_id: _project, ...body }: AlertDto,
    @Req() request: FastifyRequest,
  ): Promise<Envelope> {
    return this.announcements.alert(body, postedOverHttp(caller, named, request));
  }
}
