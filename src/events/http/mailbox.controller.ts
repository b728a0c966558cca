import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Caller, Named, type NamedProject, Scopes } from '../../auth/index.js';
import { TextField } from '../../platform/http/fields.js';
import { WithPatience } from '../../platform/http/patience.decorator.js';
import { Patience } from '../../platform/http/patience.js';
import { Refuses } from '../../platform/http/refuses.decorator.js';
import { Rules } from '../../platform/http/rules.decorator.js';
import { AckDto } from '../ack.dto.js';
import type { EventPage } from '../event-pages.service.js';
import { Mailboxes } from '../mailboxes.service.js';
import { EventPageDto } from './events.dto.js';
import { ReaderQuery } from './subscription.dto.js';

class AcknowledgedDto {
  @TextField({ about: 'All up to here is acknowledged.', max: 1_024 })
  cursor: string;
}

/** The messages and requests that are addressed to an agent; under its own path, though they are events. */
@ApiTags('mailboxes')
@Controller('api/v1/agents')
export class MailboxController {
  constructor(private readonly mailboxes: Mailboxes) {}

  @Get(':id/mailbox')
  @Scopes('events:read')
  @ApiOkResponse({ type: EventPageDto })
  @Refuses('NOT_FOUND', 'CONFLICT')
  @ApiOperation({
    summary: 'Read what is addressed to an agent, from its acknowledged position or from a cursor on',
  })
  async read(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
    @Query() query: ReaderQuery,
    @WithPatience() patience: Patience,
  ): Promise<EventPage> {
    const mailbox = await this.mailboxes.open(caller, named, id);
    const ask = { after: query.after, limit: query.limit, waitMs: query.wait_ms };
    return this.mailboxes.read(mailbox, ask, patience);
  }

  @Post(':id/mailbox/ack')
  @HttpCode(200)
  @Scopes('events:read')
  @ApiOkResponse({ type: AcknowledgedDto })
  @Refuses('NOT_FOUND', 'CONFLICT')
  @Rules('The cursor is one that this log has given.')
  @ApiOperation({
    summary: 'Acknowledge all up to a cursor; never backwards, and an older one changes nothing',
  })
  async acknowledge(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
    @Body() { cursor }: AckDto,
  ): Promise<AcknowledgedDto> {
    const { agent_id: agentId, project_id: projectId } = await this.mailboxes.open(caller, named, id);
    return this.mailboxes.acknowledge({ agentId, projectId }, cursor);
  }
}
