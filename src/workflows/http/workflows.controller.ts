import { Body, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiCreatedResponse,
  ApiOkResponse,
  ApiTags,
  ApiOperation,
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
import { WithPatience } from '../../platform/http/patience.decorator.js';
import { Patience } from '../../platform/http/patience.js';
import { ApiPage, type Page } from '../../platform/http/page.js';
import { Refuses } from '../../platform/http/refuses.decorator.js';
import { Rules } from '../../platform/http/rules.decorator.js';
import { resultOf } from '../domain/result.js';
import { DEFAULT_CONFIGURATION } from '../domain/workflow.js';
import type { WorkflowKey } from '../persistence/workflow-rows.js';
import { WorkflowReads } from '../workflow-reads.service.js';
import { type WorkflowView, workflowView } from '../workflow-view.js';
import type { PostedWorkflow } from '../workflow-creation.js';
import { WorkflowsService } from '../workflows.service.js';
import { CreateWorkflowDto } from './create-workflow.dto.js';
import { WorkflowListQuery, WorkflowResultQuery } from './workflow-queries.dto.js';
import { WorkflowDto, WorkflowResultDto } from './workflow.dto.js';

@ApiTags('workflows')
@Controller('api/v1/workflows')
export class WorkflowsController {
  constructor(
    private readonly workflows: WorkflowsService,
    private readonly reads: WorkflowReads,
  ) {}

  @Post()
  @Scopes('workflows:write')
  @ApiCreatedResponse({ type: WorkflowDto })
  @ApiOkResponse({ type: WorkflowDto, description: 'The same workflow was created before.' })
  @Refuses('CONFLICT', 'INVALID_TEMPLATE')
  @Rules('Stage names are unique; `dependencies` name stages of the workflow and form no cycle.')
  @ApiOperation({ summary: 'Start a workflow; the same id and body again is answered with the stored one' })
  async create(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Body() body: CreateWorkflowDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<WorkflowView> {
    const project = projectForWrite(caller, named);
    const { workflow, created } = await this.workflows.create(project, postedWorkflow(body));
    reply.code(created ? 201 : 200).header('location', `/api/v1/workflows/${workflow.id}`);
    return workflowView(workflow);
  }

  @Get()
  @Scopes('workflows:read')
  @ApiPage(WorkflowDto)
  @ApiOperation({ summary: 'List workflows, newest first' })
  async list(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Query() query: WorkflowListQuery,
  ): Promise<Page<WorkflowView>> {
    const { project_id: _project, ...filter } = query;
    return this.reads.list(projectForRead(caller, named), filter, workflowView);
  }

  @Get(':id')
  @Scopes('workflows:read')
  @ApiOkResponse({ type: WorkflowDto })
  @Refuses('NOT_FOUND', 'CONFLICT')
  @ApiOperation({ summary: 'Read a workflow and its stages' })
  async get(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
  ): Promise<WorkflowView> {
    return workflowView(await this.reads.get(await this.keyOf(caller, named, id)));
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @Scopes('workflows:write')
  @ApiOkResponse({ type: WorkflowDto })
  @Refuses('NOT_FOUND', 'CONFLICT', 'INVALID_TRANSITION')
  @ApiOperation({ summary: 'Cancel a workflow and its running tasks' })
  async cancel(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
  ): Promise<WorkflowView> {
    return workflowView(await this.workflows.cancel(await this.keyOf(caller, named, id)));
  }

  @Post(':id/pause')
  @HttpCode(200)
  @Scopes('workflows:write')
  @ApiOkResponse({ type: WorkflowDto })
  @Refuses('NOT_FOUND', 'CONFLICT', 'INVALID_TRANSITION')
  @ApiOperation({
    summary:
      'Pause a running workflow: nothing of it starts or can be claimed, what runs goes on; its timeout does, too',
  })
  async pause(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
  ): Promise<WorkflowView> {
    return workflowView(await this.workflows.pause(await this.keyOf(caller, named, id)));
  }

  @Post(':id/resume')
  @HttpCode(200)
  @Scopes('workflows:write')
  @ApiOkResponse({ type: WorkflowDto })
  @Refuses('NOT_FOUND', 'CONFLICT', 'INVALID_TRANSITION')
  @ApiOperation({ summary: 'Resume a paused workflow; what ended meanwhile has its consequences now' })
  async resume(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
  ): Promise<WorkflowView> {
    return workflowView(await this.workflows.resume(await this.keyOf(caller, named, id)));
  }

  @Post(':id/retry')
  @HttpCode(200)
  @Scopes('workflows:write')
  @ApiOkResponse({ type: WorkflowDto })
  @Refuses('NOT_FOUND', 'CONFLICT', 'INVALID_TRANSITION')
  @ApiOperation({
    summary:
      'Run a failed or cancelled workflow again from the stages that did not complete or were undone; completed ones keep their output',
  })
  async retry(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
  ): Promise<WorkflowView> {
    return workflowView(await this.workflows.retry(await this.keyOf(caller, named, id)));
  }

  @Get(':id/result')
  @Scopes('workflows:read')
  @ApiOkResponse({ type: WorkflowResultDto })
  @ApiAcceptedResponse({ type: WorkflowResultDto, description: 'It has not ended yet.' })
  @Refuses('NOT_FOUND', 'CONFLICT', 'WORKFLOW_FAILED')
  @ApiOperation({ summary: 'Read the outputs of a workflow; 202 while it runs, also when the wait is over' })
  async result(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
    @Query() { wait_ms: waitMs }: WorkflowResultQuery,
    @WithPatience() patience: Patience,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<WorkflowResultDto> {
    const workflow = await this.reads.ended(await this.keyOf(caller, named, id), waitMs, patience);
    const output = resultOf(workflow);
    const omitted = workflow.stages.flatMap((stage) => (stage.output_omitted ? [stage.name] : []));
    reply.code(output === undefined ? 202 : 200);
    return {
      workflow_id: workflow.id,
      status: workflow.status,
      ...(output === undefined ? {} : { output }),
      ...(output === undefined || omitted.length === 0 ? {} : { omitted_stages: omitted }),
    };
  }

  private keyOf(caller: Caller, named: NamedProject, id: string): Promise<WorkflowKey> {
    return this.reads.locate(projectForRead(caller, named), id);
  }
}

/** What was posted, without what only says where it goes. */
function postedWorkflow({ project_id: _project, ...posted }: CreateWorkflowDto): PostedWorkflow {
  return { ...posted, configuration: posted.configuration ?? DEFAULT_CONFIGURATION };
}
