import { Controller, Get, Header, Req } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { Public } from '../../platform/http/route-config.decorator.js';
import { asyncApiDocument } from '../asyncapi-document.js';
import { Messages } from '../realtime/messages.js';
import { eventsPage } from './events-page.js';

/** What is told and asked beside HTTP: for programs, and for people. */
@ApiExcludeController()
@Controller()
export class AsyncApiController {
  constructor(private readonly messages: Messages) {}

  @Get('asyncapi.json')
  @Public()
  document(@Req() request: FastifyRequest): object {
    return asyncApiDocument(this.messages.all(), {
      host: request.host,
      secure: request.protocol === 'https',
    });
  }

  @Get('docs/events')
  @Public()
  @Header('content-type', 'text/html; charset=utf-8')
  // Nothing but its own style: the page has no script.
  @Header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
  page(): string {
    return eventsPage(this.messages.all());
  }
}
