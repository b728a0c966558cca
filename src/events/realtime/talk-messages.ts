import { Injectable, type OnModuleInit } from '@nestjs/common';
import { projectForRead } from '../../auth/index.js';
import { AnnouncementsService } from '../announcements.service.js';
import type { AgentResponse, RequestStatus } from '../domain/request.js';
import { MessageDto } from '../dto/message.dto.js';
import { PublicationDto } from '../dto/publication.dto.js';
import { RequestDto, RespondDto } from '../dto/request.dto.js';
import { MessagesService } from '../messages.service.js';
import { bytesOf, postedOverSocket } from '../posting.js';
import { RequestReads } from '../request-reads.service.js';
import { RequestsService } from '../requests.service.js';
import { Messages } from './messages.js';
import type { Session } from './session.js';

/** What agents say to each other over their sockets: publish, message, request, respond. The same services as over HTTP. */
@Injectable()
export class TalkMessages implements OnModuleInit {
  constructor(
    private readonly socketMessages: Messages,
    private readonly announcements: AnnouncementsService,
    private readonly messages: MessagesService,
    private readonly requests: RequestsService,
    private readonly reads: RequestReads,
  ) {}

  onModuleInit(): void {
    const scopes = ['events:publish'] as const;
    this.socketMessages.register({
      name: 'publish',
      about: 'Publishes on a topic; answered with the envelope',
      scopes,
      dto: PublicationDto,
      handle: ({ caller }, { project_id, ...body }) =>
        this.announcements.publish(caller, body, postedOverSocket(caller, project_id, body)),
    });
    this.socketMessages.register({
      name: 'message',
      about: 'Sends an agent a message, there or away; answered with the envelope',
      scopes,
      dto: MessageDto,
      handle: async ({ caller }, { project_id, ...body }) =>
        (await this.messages.send(caller, body, postedOverSocket(caller, project_id, body))).envelope,
    });
    this.socketMessages.register({
      name: 'request',
      about: 'Asks an agent; answered with the id and the status of the request',
      scopes,
      dto: RequestDto,
      handle: (session, body) => this.request(session, body),
    });
    this.socketMessages.register({
      name: 'respond',
      about: 'Answers a request, as its target; answered with the response as it is stored',
      scopes,
      dto: RespondDto,
      handle: (session, body) => this.respond(session, body),
    });
  }

  private async request(
    { caller }: Session,
    { project_id, ...body }: RequestDto,
  ): Promise<{ id: string; status: RequestStatus }> {
    const posting = postedOverSocket(caller, project_id, body);
    const { request } = await this.requests.create(caller, body, posting);
    return { id: request.id, status: request.status };
  }

  private async respond(
    { caller }: Session,
    { project_id, request_id: id, ...response }: RespondDto,
  ): Promise<AgentResponse> {
    const key = await this.reads.locate(projectForRead(caller, { body: project_id }), id);
    return this.requests.respond(caller, key, response, bytesOf(response));
  }
}
