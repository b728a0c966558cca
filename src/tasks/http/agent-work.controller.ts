import { Body, Controller, HttpCode, Param, Post, Req } from '@nestjs/common';
import { ApiOkResponse, ApiTags, ApiOperation } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { AgentAccess, AgentDirectory, assertSession } from '../../agents/index.js';
import { Caller, Named, Scopes, type NamedProject } from '../../auth/index.js';
import { WithPatience } from '../../platform/http/patience.decorator.js';
import { Patience } from '../../platform/http/patience.js';
import { Refuses } from '../../platform/http/refuses.decorator.js';
import { ClaimsService } from '../claims.service.js';
import { ReportsService, type ReportAnswer } from '../reports.service.js';
import type { ClaimedTask } from '../task-view.js';
import { ClaimDto, ReportsDto } from '../dto/report-task.dto.js';
import { ClaimAnswer, ReportsAnswer } from './task.dto.js';
import { sizeOf } from '../task-change.js';

/** An agent gets work and reports on it. */
@ApiTags('agents')
@Controller('api/v1/agents/:id')
export class AgentWorkController {
  constructor(
    private readonly claims: ClaimsService,
    private readonly reports: ReportsService,
    private readonly access: AgentAccess,
    private readonly agents: AgentDirectory,
  ) {}

  @Post('claim')
  @HttpCode(200)
  @Scopes('tasks:execute')
  @ApiOkResponse({ type: ClaimAnswer })
  @Refuses('NOT_FOUND', 'CONFLICT', 'STALE_SESSION')
  @ApiOperation({
    summary: 'Claim tasks, never more than the free capacity; wait for some if there are none',
  })
  async claim(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
    @Body() body: ClaimDto,
    @WithPatience() patience: Patience,
  ): Promise<{ items: ClaimedTask[] }> {
    const key = await this.access.actingFor(caller, named, id);
    const ask = { max: body.max_tasks ?? 1, waitMs: body.wait_ms ?? 0, sessionEpoch: body.session_epoch };
    return { items: await this.claims.claim(key, ask, patience) };
  }

  @Post('reports')
  @HttpCode(200)
  @Scopes('tasks:execute')
  @ApiOkResponse({ type: ReportsAnswer })
  @Refuses('NOT_FOUND', 'CONFLICT', 'STALE_SESSION')
  @ApiOperation({
    summary: 'Report on up to 100 tasks, each judged alone, and claim the next in the same call',
  })
  async report(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
    @Body() body: ReportsDto,
    @WithPatience() patience: Patience,
    @Req() request: FastifyRequest,
  ): Promise<{ items: ReportAnswer[]; claimed?: ClaimedTask[] }> {
    const key = await this.access.actingFor(caller, named, id);
    // An agent that calls for itself is there; one that somebody calls for may not be.
    if (body.session_epoch !== undefined || caller.agentId !== id) {
      const agent = await this.agents.get(key);
      if (body.session_epoch !== undefined) assertSession(agent, body.session_epoch);
    }
    const claim =
      body.claim === undefined
        ? undefined
        : { max: body.claim.max_tasks ?? 1, sessionEpoch: body.session_epoch };
    const bytes = sizeOf(request);
    return this.reports.take(key, body.reports, claim, { bytes, correlationId: request.id, patience });
  }
}
