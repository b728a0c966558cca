import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Caller, Named, type NamedProject, projectForRead, Scopes } from '../../auth/index.js';
import { ApiPage, type Page } from '../../platform/http/page.js';
import { Refuses } from '../../platform/http/refuses.decorator.js';
import { Rules } from '../../platform/http/rules.decorator.js';
import { DeliveriesService } from '../deliveries.service.js';
import type { Delivery } from '../persistence/delivery-list.js';
import { DeliveriesQuery, DeliveryDto } from './deliveries.dto.js';

@ApiTags('events')
@Controller('api/v1/deliveries')
export class DeliveriesController {
  constructor(private readonly deliveries: DeliveriesService) {}

  @Get()
  @Scopes('events:read')
  @ApiPage(DeliveryDto)
  @ApiOperation({
    summary: 'List callbacks and webhooks, newest first, and what came of them; an agent sees its own',
  })
  async list(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Query() { limit, cursor, project_id: _project, ...filter }: DeliveriesQuery,
  ): Promise<Page<DeliveryDto>> {
    const page = await this.deliveries.list(caller, projectForRead(caller, named), filter, limit, cursor);
    return { ...page, items: page.items.map(deliveryView) };
  }

  @Get(':id')
  @Scopes('events:read')
  @ApiOkResponse({ type: DeliveryDto })
  @Refuses('NOT_FOUND', 'FORBIDDEN')
  @ApiOperation({ summary: 'Read a delivery' })
  async get(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
  ): Promise<DeliveryDto> {
    return deliveryView(await this.deliveries.get(caller, projectForRead(caller, named), id));
  }

  @Post(':id/retry')
  @HttpCode(202)
  @Scopes('events:read')
  @ApiAcceptedResponse({ type: DeliveryDto })
  @Refuses('NOT_FOUND', 'FORBIDDEN', 'INVALID_TRANSITION')
  @Rules('The delivery has failed (409).')
  @ApiOperation({ summary: 'Try a delivery that failed anew, at once and then for 24 hours' })
  async retry(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
  ): Promise<DeliveryDto> {
    return deliveryView(await this.deliveries.retry(caller, projectForRead(caller, named), id));
  }
}

function deliveryView({ agent_project: _project, ...shown }: Delivery): DeliveryDto {
  return shown;
}
