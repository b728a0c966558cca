import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Res } from '@nestjs/common';
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
import { validationFailed } from '../../shared/domain-error.js';
import type { Template } from '../domain/template.js';
import { TemplatesService } from '../templates.service.js';
import {
  CreateTemplateDto,
  ReplaceTemplateDto,
  TemplateDto,
  TemplateQuery,
  TemplatesQuery,
} from './template.dto.js';

const SCHEMA_RULE = '`input_schema` is a JSON Schema 2020-12 that compiles within two seconds (400).';

@ApiTags('templates')
@Controller('api/v1/templates')
export class TemplatesController {
  constructor(private readonly templates: TemplatesService) {}

  @Post()
  @Scopes('templates:write')
  @ApiCreatedResponse({ type: TemplateDto })
  @ApiOkResponse({ type: TemplateDto, description: 'The same template was created before.' })
  @Refuses('CONFLICT', 'RATE_LIMIT_EXCEEDED')
  @Rules(SCHEMA_RULE)
  @ApiOperation({ summary: 'Create a template; the same id and body again is answered with the stored one' })
  async create(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Body() { project_id: _project, ...body }: CreateTemplateDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TemplateDto> {
    const posted = { ...body, agent_type: body.agent_type ?? null };
    const { template, created } = await this.templates.create(projectForWrite(caller, named), posted);
    reply.code(created ? 201 : 200).header('location', `/api/v1/templates/${template.id}`);
    return templateView(template);
  }

  @Get()
  @Scopes('templates:read')
  @ApiPage(TemplateDto)
  @ApiOperation({ summary: 'List templates, newest first; those that are built in stand among them' })
  async list(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Query() query: TemplatesQuery,
  ): Promise<Page<TemplateDto>> {
    const filter = {
      projectId: projectForRead(caller, named),
      agentType: query.agent_type,
      createdAfter: query.created_after,
      createdBefore: query.created_before,
    };
    const page = await this.templates.list(filter, query.limit, query.cursor);
    return { ...page, items: page.items.map(templateView) };
  }

  @Get(':id')
  @Scopes('templates:read')
  @ApiOkResponse({ type: TemplateDto })
  @Refuses('NOT_FOUND', 'CONFLICT')
  @ApiOperation({ summary: 'Read a template, the newest version or one of the 100 before it' })
  async get(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
    @Query() { version }: TemplateQuery,
  ): Promise<TemplateDto> {
    const key = await this.templates.locate(projectForRead(caller, named), id);
    return templateView(await this.templates.get(key, version));
  }

  @Put(':id')
  @Scopes('templates:write')
  @ApiOkResponse({ type: TemplateDto })
  @Refuses('NOT_FOUND', 'CONFLICT', 'RATE_LIMIT_EXCEEDED')
  @Rules(SCHEMA_RULE)
  @ApiOperation({ summary: 'Make a new version of a template, for the tasks that are created from now on' })
  async replace(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
    @Body() { version, ...body }: ReplaceTemplateDto,
  ): Promise<TemplateDto> {
    if (body.id !== undefined && body.id !== id)
      throw validationFailed([{ path: '/id', message: 'must be the id in the path' }]);
    const key = await this.templates.locate(projectForRead(caller, named), id);
    const content = { ...body, agent_type: body.agent_type ?? null };
    return templateView(await this.templates.replace(key, content, version));
  }

  @Delete(':id')
  @HttpCode(204)
  @Scopes('templates:write')
  @ApiNoContentResponse()
  @Refuses('NOT_FOUND', 'CONFLICT')
  @ApiOperation({ summary: 'Remove a template with its versions; tasks that were made by it stay' })
  async remove(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Param('id') id: string,
  ): Promise<void> {
    await this.templates.remove(await this.templates.locate(projectForRead(caller, named), id));
  }
}

function templateView(template: Template): TemplateDto {
  const { id, project_id, name, version, agent_type, input_schema, defaults, created_at, updated_at } =
    template;
  return { id, project_id, name, version, agent_type, input_schema, defaults, created_at, updated_at };
}
