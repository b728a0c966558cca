import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Res } from '@nestjs/common';
import {
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import {
  Caller,
  Named,
  type NamedProject,
  projectForRead,
  projectForWrite,
  Scopes,
} from '../../auth/index.js';
import { ApiPage, type Page } from '../../platform/http/page.js';
import { Refuses } from '../../platform/http/refuses.decorator.js';
import { Rules } from '../../platform/http/rules.decorator.js';
import { ANY_PROJECT } from '../../shared/ids.js';
import { AgentAccess } from '../agent-access.js';
import type { AgentCredentials } from '../agent-credentials.js';
import type { Origin as ChangeOrigin } from '../agent-events.js';
import { AgentListing } from '../agent-listing.service.js';
import type { AgentView } from '../agent-view.js';
import { AgentsService } from '../agents.service.js';
import { HeartbeatDto } from '../heartbeat.dto.js';
import { type HeartbeatAnswer, HeartbeatsService } from '../heartbeats.service.js';
import { RegistrationsService } from '../registrations.service.js';
import { AgentDto, AgentsQuery, RegisteredAgentDto } from './agent.dto.js';
import { AgentCredentialsDto, HeartbeatAnswerDto } from './agent-answers.dto.js';
import { Origin } from './origin.decorator.js';
import { EditAgentDto, RegisterAgentDto } from './register-agent.dto.js';

@ApiTags('agents')
@Controller('api/v1/agents')
export class AgentsController {
  constructor(
    private readonly registrations: RegistrationsService,
    private readonly heartbeats: HeartbeatsService,
    private readonly agents: AgentsService,
    private readonly listing: AgentListing,
    private readonly access: AgentAccess,
  ) {}

  @Post('register')
  @Scopes('agents:write', 'tasks:execute')
  @ApiOperation({ summary: 'Register an agent, or begin a new session of one that is registered' })
  @ApiCreatedResponse({ type: RegisteredAgentDto })
  @ApiOkResponse({
    type: RegisteredAgentDto,
    description: 'It was registered already; a new session begins.',
  })
  @Refuses('CONFLICT')
  @Rules('`health_check_url` is a URL that can be called.')
  async register(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Origin() origin: ChangeOrigin,
    @Body() body: RegisterAgentDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RegisteredAgentDto> {
    const registration = {
      key: { id: body.id, projectId: projectForWrite(caller, named, ANY_PROJECT) },
      type: body.type,
      profile: {
        name: body.name ?? null,
        version: body.version ?? null,
        capabilities: body.capabilities ?? [],
        health_check_url: body.health_check_url ?? null,
        configuration: body.configuration ?? {},
        metadata: body.metadata ?? null,
      },
      heldTasks: body.held_tasks ?? [],
      rotateSecret: body.rotate_secret ?? false,
    };
    const { agent, created, credentials } = await this.registrations.register(registration, caller, origin);
    reply.code(created ? 201 : 200).header('Location', `/api/v1/agents/${agent.id}`);
    const view = await this.listing.show(agent);
    if (credentials === undefined) return view;
    reply.header('Cache-Control', 'no-store');
    return { ...view, credentials };
  }

  @Post(':id/heartbeat')
  @HttpCode(200)
  @Scopes('tasks:execute', 'agents:write')
  @ApiOperation({ summary: 'An agent is alive: its lease goes on, and those of the tasks it works on' })
  @ApiOkResponse({ type: HeartbeatAnswerDto })
  @Refuses('NOT_FOUND', 'CONFLICT', 'STALE_SESSION')
  async heartbeat(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
    @Body() body: HeartbeatDto,
  ): Promise<HeartbeatAnswer> {
    const key = await this.access.actingFor(caller, named, id);
    return this.heartbeats.beat(key, body);
  }

  @Get()
  @Scopes('agents:read')
  @ApiOperation({ summary: 'Agents, newest first' })
  @ApiPage(AgentDto)
  list(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Query() query: AgentsQuery,
  ): Promise<Page<AgentView>> {
    const filter = {
      projectId: projectForRead(caller, named),
      type: query.type,
      status: query.status,
      capability: query.capability,
      createdAfter: query.created_after,
      createdBefore: query.created_before,
      correlationId: query.correlation_id,
    };
    return this.listing.list(filter, query.limit, query.cursor);
  }

  @Get(':id')
  @Scopes('agents:read')
  @ApiOperation({ summary: 'One agent' })
  @ApiOkResponse({ type: AgentDto })
  @Refuses('NOT_FOUND', 'CONFLICT')
  async get(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
  ): Promise<AgentView> {
    return this.listing.get(await this.access.locate(caller, named, id));
  }

  @Patch(':id')
  @Scopes('agents:write', 'tasks:execute')
  @Rules('`health_check_url` is a URL that can be called.')
  @ApiOperation({ summary: 'Change an agent; what is left out stays' })
  @ApiOkResponse({ type: AgentDto })
  @Refuses('NOT_FOUND', 'CONFLICT')
  async edit(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Origin() origin: ChangeOrigin,
    @Param('id') id: string,
    @Body() body: EditAgentDto,
  ): Promise<AgentView> {
    const key = await this.access.actingFor(caller, named, id);
    return this.listing.show(await this.agents.edit(key, body, origin));
  }

  @Delete(':id')
  @HttpCode(204)
  @Scopes('agents:write', 'tasks:execute')
  @ApiOperation({ summary: 'Remove an agent and its client; what it holds is offered again' })
  @ApiNoContentResponse()
  @Refuses('NOT_FOUND', 'CONFLICT')
  async remove(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Origin() origin: ChangeOrigin,
    @Param('id') id: string,
  ): Promise<void> {
    await this.agents.remove(await this.access.actingFor(caller, named, id), origin);
  }

  @Post(':id/drain')
  @HttpCode(200)
  @Scopes('agents:write', 'tasks:execute')
  @ApiOperation({ summary: 'Give an agent no more work; what it holds it may finish' })
  @ApiOkResponse({ type: AgentDto })
  @Refuses('NOT_FOUND', 'CONFLICT')
  async drain(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Origin() origin: ChangeOrigin,
    @Param('id') id: string,
  ): Promise<AgentView> {
    const key = await this.access.actingFor(caller, named, id);
    return this.listing.show(await this.agents.drain(key, origin));
  }

  @Post(':id/rotate-secret')
  @HttpCode(200)
  @Scopes('agents:write', 'tasks:execute')
  @ApiOperation({ summary: 'New secrets for an agent, shown this once; the old ones are void' })
  @ApiOkResponse({ type: AgentCredentialsDto })
  @Refuses('NOT_FOUND', 'CONFLICT')
  async rotateSecret(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AgentCredentials> {
    reply.header('Cache-Control', 'no-store');
    return this.agents.rotateSecret(await this.access.actingFor(caller, named, id));
  }
}
