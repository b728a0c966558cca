import { Body, Controller, Get, HttpCode, Param, Post, Res } from '@nestjs/common';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import {
  Caller,
  Named,
  type NamedProject,
  projectForRead,
  projectForWrite,
  Scopes,
} from '../../auth/index.js';
import { Refuses } from '../../platform/http/refuses.decorator.js';
import type { TaskOperation } from '../persistence/operation-rows.js';
import { TaskOperations } from '../task-operations.service.js';
import { RetryTasksDto, TaskOperationDto } from './operation.dto.js';

/** What is done to many tasks at once. */
@ApiTags('tasks')
@Controller('api/v1')
export class OperationsController {
  constructor(private readonly operations: TaskOperations) {}

  @Post('tasks/retry')
  @HttpCode(202)
  @Scopes('tasks:write')
  @ApiAcceptedResponse({ type: TaskOperationDto })
  @ApiOkResponse({ type: TaskOperationDto, description: 'The same operation was begun before.' })
  @Refuses('CONFLICT')
  @ApiOperation({
    summary: 'Start anew all tasks that failed, or were cancelled, of those that a filter means',
  })
  async retry(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Body() { id, project_id: _project, ...filter }: RetryTasksDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TaskOperationDto> {
    const project = projectForWrite(caller, named);
    const { operation, created } = await this.operations.retry(project, { ...filter }, id);
    reply.code(created ? 202 : 200).header('Location', `/api/v1/operations/${operation.id}`);
    return operationView(operation);
  }

  @Get('operations/:id')
  @Scopes('tasks:read')
  @ApiOkResponse({ type: TaskOperationDto })
  @Refuses('NOT_FOUND', 'CONFLICT')
  @ApiOperation({ summary: 'Read how far an operation on many tasks has come' })
  async get(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
  ): Promise<TaskOperationDto> {
    return operationView(await this.operations.get(projectForRead(caller, named), id));
  }
}

function operationView({
  position_at: _at,
  position_id: _id,
  body_hash: _hash,
  filter,
  ...shown
}: TaskOperation): TaskOperationDto {
  return { ...shown, filter: { ...filter } };
}
