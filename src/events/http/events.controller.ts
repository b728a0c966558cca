import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiTags, ApiOperation } from '@nestjs/swagger';
import { Caller, Named, projectForRead, Scopes, type NamedProject } from '../../auth/index.js';
import { WithPatience } from '../../platform/http/patience.decorator.js';
import { Patience } from '../../platform/http/patience.js';
import { topicPattern } from '../domain/topic-pattern.js';
import { EventPages, type EventPage } from '../event-pages.service.js';
import { EventPageDto, EventsQuery } from './events.dto.js';

@ApiTags('events')
@Controller('api/v1/events')
export class EventsController {
  constructor(private readonly pages: EventPages) {}

  @Get()
  @Scopes('events:read')
  @ApiOkResponse({ type: EventPageDto })
  @ApiOperation({
    summary: 'Read the log in order, from a cursor on; wait for the next event if there is none',
  })
  read(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Query() query: EventsQuery,
    @WithPatience() patience: Patience,
  ): Promise<EventPage> {
    const ask = {
      selection: {
        projectId: projectForRead(caller, named),
        patterns: (query.topics ?? ['#']).map((topic) => topicPattern(topic, '/topics')),
        filter: {},
        correlationId: query.correlation_id,
      },
      after: query.after,
      limit: query.limit,
      waitMs: query.wait_ms,
    };
    return this.pages.read(ask, patience);
  }
}
