import {
  Body,
  Controller,
  Get,
  Headers,
  HttpCode,
  Param,
  Patch,
  Post,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiCreatedResponse,
  ApiHeader,
  ApiOkResponse,
  ApiTags,
  ApiOperation,
} from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Caller, Named, projectForRead, Scopes, type NamedProject } from '../../auth/index.js';
import { givenCorrelationId } from '../../platform/http/correlation.js';
import { WithPatience } from '../../platform/http/patience.decorator.js';
import { Patience } from '../../platform/http/patience.js';
import { ApiPage, encodeCursor, type Page, pageKeyOf, pageOf } from '../../platform/http/page.js';
import { Refuses } from '../../platform/http/refuses.decorator.js';
import { Rules } from '../../platform/http/rules.decorator.js';
import { resultOf } from '../domain/result.js';
import { Explanations } from '../explanations.service.js';
import { TaskProjects } from '../task-projects.js';
import { TaskReads } from '../task-reads.service.js';
import { TaskTransactions } from '../task-transactions.js';
import { taskView, type TaskView } from '../task-view.js';
import { TasksService } from '../tasks.service.js';
import { actorOf, changeOf, sizeOf } from '../task-change.js';
import { CreateTaskBatchDto, CreateTaskDto } from '../dto/create-task.dto.js';
import { UpdateTaskDto } from '../dto/report-task.dto.js';
import { TaskDto, TaskHistoryDto, TaskListAnswer, TaskResultDto } from './task.dto.js';
import { TaskExplanationDto } from './explanation.dto.js';
import { TaskListQuery, WaitQuery } from './task-queries.dto.js';

const TASK_RULES = [
  '`parent_workflow_id` names a workflow of the project (400), `dependencies` name its tasks (412).',
  '`input_data.template_id` names a template, and `input_data.customizations` is what its schema allows (400).',
] as const;

@ApiTags('tasks')
@Controller('api/v1/tasks')
export class TasksController {
  constructor(
    private readonly tasks: TasksService,
    private readonly transactions: TaskTransactions,
    private readonly reads: TaskReads,
    private readonly explanations: Explanations,
    private readonly projects: TaskProjects,
  ) {}

  @Post()
  @Scopes('tasks:write')
  @ApiCreatedResponse({ type: TaskDto })
  @ApiOkResponse({ type: TaskDto, description: 'The same task was created before.' })
  @Refuses('AGENT_UNAVAILABLE', 'DEPENDENCY_NOT_MET', 'CONFLICT', 'INVALID_TEMPLATE')
  @Rules(...TASK_RULES)
  @ApiOperation({ summary: 'Create a task; the same id and body again is answered with the stored one' })
  async create(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Body() body: CreateTaskDto,
    @Query() { wait_ms: waitMs = 0 }: WaitQuery,
    @WithPatience() patience: Patience,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TaskView> {
    const project = await this.projects.forWrite(caller, named, body.parent_workflow_id);
    const { task, created } = await this.tasks.create(project, postedTask(body), actorOf(caller), {
      bytes: sizeOf(request),
      correlationId: givenCorrelationId(request),
    });
    reply.code(created ? 201 : 200).header('location', `/api/v1/tasks/${task.id}`);
    if (waitMs === 0) return taskView(task);
    return taskView(await this.reads.ended({ id: task.id, projectId: project }, waitMs, patience));
  }

  @Post('batch')
  @Scopes('tasks:write')
  @ApiCreatedResponse({ type: TaskListAnswer })
  @Refuses('AGENT_UNAVAILABLE', 'DEPENDENCY_NOT_MET', 'CONFLICT', 'INVALID_TEMPLATE')
  @Rules(...TASK_RULES, 'Ids are given once in a batch, and all tasks go to one project.')
  @ApiOperation({ summary: 'Create up to 1,000 tasks, all or none' })
  async createBatch(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Body() body: CreateTaskBatchDto,
  ): Promise<{ items: TaskView[] }> {
    const project = await this.projects.forBatch(caller, named, body.tasks);
    const tasks = await this.transactions.createAll(project, body.tasks.map(postedTask), caller.agentId);
    return { items: tasks.map(taskView) };
  }

  @Get()
  @Scopes('tasks:read')
  @ApiPage(TaskDto)
  @ApiOperation({
    summary: 'List tasks, newest first; status=failed is the dead-letter list',
    description:
      'A page may be short, or empty, and still have a `next_cursor`: filters by type, agent, priority and time of the end ' +
      'look through 20,000 tasks a page.',
  })
  async list(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Query() query: TaskListQuery,
  ): Promise<Page<TaskView>> {
    const { project_id: _project, ...filter } = query;
    const { rows, next } = await this.reads.list(projectForRead(caller, named), filter);
    const page = pageOf(rows, query.limit, pageKeyOf, taskView);
    return next === undefined ? page : { ...page, next_cursor: encodeCursor(next) };
  }

  @Get(':id')
  @Scopes('tasks:read')
  @ApiOkResponse({ type: TaskDto })
  @Refuses('NOT_FOUND', 'CONFLICT')
  @ApiOperation({ summary: 'Read a task' })
  async get(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
  ): Promise<TaskView> {
    return taskView(await this.reads.get(await this.reads.locate(projectForRead(caller, named), id)));
  }

  @Patch(':id')
  @Scopes('tasks:execute', 'tasks:write')
  @ApiOkResponse({ type: TaskDto })
  @Refuses('NOT_FOUND', 'CONFLICT', 'INVALID_TRANSITION', 'STALE_LEASE', 'DEPENDENCY_NOT_MET')
  @Rules(
    'It says something, and is either a report or an edit: `priority`, `not_before`, `timeout` and `metadata` go alone.',
    '`error` comes with `status: "failed"`.',
  )
  @ApiHeader({
    name: 'X-Lease-Token',
    required: false,
    description: 'Fence: the same as `lease_token` in the body, which goes before it.',
    schema: { type: 'string' },
  })
  @ApiOperation({ summary: 'Report on a task that you hold, or edit one that waits' })
  async update(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
    @Body() body: UpdateTaskDto,
    @Headers('x-lease-token') leaseToken: string | undefined,
    @Req() request: FastifyRequest,
  ): Promise<TaskView> {
    const change = changeOf(caller, body, leaseToken);
    const key = await this.reads.locate(projectForRead(caller, named), id);
    if (change.kind === 'edit') return taskView(await this.tasks.edit(key, change.edit, actorOf(caller)));
    return taskView(await this.tasks.report(key, change.report, actorOf(caller), sizeOf(request)));
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @Scopes('tasks:write')
  @ApiOkResponse({ type: TaskDto })
  @Refuses('NOT_FOUND', 'CONFLICT', 'INVALID_TRANSITION')
  @ApiOperation({ summary: 'Cancel a task; its holder learns of it by event and by its next heartbeat' })
  async cancel(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
  ): Promise<TaskView> {
    const key = await this.reads.locate(projectForRead(caller, named), id);
    return taskView(await this.tasks.cancel(key, actorOf(caller)));
  }

  @Post(':id/retry')
  @HttpCode(200)
  @Scopes('tasks:write')
  @ApiOkResponse({ type: TaskDto })
  @Refuses('NOT_FOUND', 'CONFLICT', 'INVALID_TRANSITION', 'DEPENDENCY_NOT_MET')
  @ApiOperation({ summary: 'Start a failed or cancelled task anew, with all its attempts' })
  async retry(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
  ): Promise<TaskView> {
    const key = await this.reads.locate(projectForRead(caller, named), id);
    return taskView(await this.transactions.retry(key));
  }

  @Get(':id/result')
  @Scopes('tasks:read')
  @ApiOkResponse({ type: TaskResultDto })
  @ApiAcceptedResponse({ type: TaskResultDto, description: 'It has not ended yet.' })
  @Refuses('NOT_FOUND', 'CONFLICT', 'TASK_TIMEOUT', 'TASK_FAILED', 'TASK_CANCELLED')
  @ApiOperation({ summary: 'Read the output of a task; 202 while it runs, also when the wait is over' })
  async result(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
    @Query() { wait_ms: waitMs = 0 }: WaitQuery,
    @WithPatience() patience: Patience,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ task_id: string; status: string; output_data?: unknown }> {
    const key = await this.reads.locate(projectForRead(caller, named), id);
    const task = await this.reads.ended(key, waitMs, patience);
    const result = resultOf(task);
    reply.code(result === undefined ? 202 : 200);
    return {
      task_id: task.id,
      status: task.status,
      ...(result === undefined ? {} : { output_data: result.output }),
    };
  }

  @Get(':id/explain')
  @Scopes('tasks:read')
  @ApiOkResponse({ type: TaskExplanationDto })
  @Refuses('NOT_FOUND', 'CONFLICT')
  @ApiOperation({ summary: 'Name the rule that keeps a task from running now, with the facts' })
  async explain(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
  ): Promise<TaskExplanationDto> {
    const key = await this.reads.locate(projectForRead(caller, named), id);
    const { task, explanation } = await this.explanations.of(key);
    return { task_id: task.id, status: task.status, ...explanation };
  }

  @Get(':id/history')
  @Scopes('tasks:read')
  @ApiOkResponse({ type: TaskHistoryDto })
  @Refuses('NOT_FOUND', 'CONFLICT')
  @ApiOperation({ summary: 'Read every attempt and every event of a task' })
  async history(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
  ): Promise<unknown> {
    return this.reads.history(await this.reads.locate(projectForRead(caller, named), id));
  }
}

/** What was posted without what only says where it goes. */
function postedTask({ project_id: _project, ...posted }: CreateTaskDto): Omit<CreateTaskDto, 'project_id'> {
  return posted;
}
