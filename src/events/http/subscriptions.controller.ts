import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import {
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Caller, Named, type NamedProject, projectForRead, Scopes } from '../../auth/index.js';
import { ApiPage, type Page } from '../../platform/http/page.js';
import { WithPatience } from '../../platform/http/patience.decorator.js';
import { Patience } from '../../platform/http/patience.js';
import { Refuses } from '../../platform/http/refuses.decorator.js';
import { Rules } from '../../platform/http/rules.decorator.js';
import { selectionOf, type StoredSubscription } from '../domain/subscription.js';
import { EventLog } from '../event-log.js';
import { type EventPage, EventPages } from '../event-pages.service.js';
import { assertMaySpeakFor } from '../speakers.js';
import { SubscriptionsService } from '../subscriptions.service.js';
import { EventPageDto } from './events.dto.js';
import {
  CreateSubscriptionDto,
  ReaderQuery,
  SubscriptionDto,
  SubscriptionsQuery,
} from './subscription.dto.js';

@ApiTags('subscriptions')
@Controller('api/v1/subscriptions')
export class SubscriptionsController {
  constructor(
    private readonly subscriptions: SubscriptionsService,
    private readonly pages: EventPages,
    private readonly log: EventLog,
  ) {}

  @Post()
  @Scopes('events:read')
  @ApiCreatedResponse({ type: SubscriptionDto })
  @Refuses('NOT_FOUND', 'CONFLICT')
  @Rules(
    'The agent is registered, and is the caller itself or one that a client with `agents:write` sees.',
    'At most 50 filters, and 200 values in one. `webhook_url` is a URL that can be called. An agent has 100 at most.',
  )
  @ApiOperation({ summary: 'Subscribe an agent to topics, until the subscription is deleted' })
  async create(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Body() body: CreateSubscriptionDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<SubscriptionDto> {
    const { agent_id, topics, filters, webhook_url = null } = body;
    const made = await this.subscriptions.create(caller, named, { agent_id, topics, filters, webhook_url });
    reply.header('Location', `/api/v1/subscriptions/${made.id}`);
    return this.view(made);
  }

  @Get()
  @Scopes('events:read')
  @ApiPage(SubscriptionDto)
  @ApiOperation({ summary: 'List subscriptions, newest first; an agent sees its own' })
  async list(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Query() query: SubscriptionsQuery,
  ): Promise<Page<SubscriptionDto>> {
    const projectId = projectForRead(caller, named);
    const own =
      caller.agentId === null ? undefined : { agentId: caller.agentId, projectId: caller.projectId };
    if (own !== undefined && query.agent_id !== undefined)
      assertMaySpeakFor(caller, { ...own, agentId: query.agent_id });
    const filter = {
      projectId,
      agentId: own?.agentId ?? query.agent_id,
      agentProject: own?.projectId,
      createdAfter: query.created_after,
      createdBefore: query.created_before,
    };
    const page = await this.subscriptions.list(filter, query.limit, query.cursor);
    return { ...page, items: page.items.map((one) => this.view(one)) };
  }

  @Get(':id')
  @Scopes('events:read')
  @ApiOkResponse({ type: SubscriptionDto })
  @Refuses('NOT_FOUND')
  @ApiOperation({ summary: 'Read a subscription' })
  async get(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
  ): Promise<SubscriptionDto> {
    return this.view(await this.subscriptions.get(caller, named, id));
  }

  @Delete(':id')
  @HttpCode(204)
  @Scopes('events:read')
  @ApiNoContentResponse()
  @Refuses('NOT_FOUND')
  @ApiOperation({ summary: 'End a subscription' })
  async remove(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
  ): Promise<void> {
    await this.subscriptions.remove(caller, named, id);
  }

  @Get(':id/events')
  @Scopes('events:read')
  @ApiOkResponse({ type: EventPageDto })
  @Refuses('NOT_FOUND')
  @ApiOperation({ summary: 'Read what a subscription tells, from where it was made or from a cursor on' })
  async events(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
    @Query() query: ReaderQuery,
    @WithPatience() patience: Patience,
  ): Promise<EventPage> {
    const found = await this.subscriptions.get(caller, named, id);
    const ask = {
      selection: selectionOf(found),
      after: query.after ?? this.log.cursor(found.from_pos),
      limit: query.limit,
      waitMs: query.wait_ms,
    };
    return this.pages.read(ask, patience);
  }

  private view({
    agent_project: _project,
    from_pos,
    filters,
    topics,
    ...shown
  }: StoredSubscription): SubscriptionDto {
    return { ...shown, topics: [...topics], filters: { ...filters }, cursor: this.log.cursor(from_pos) };
  }
}
