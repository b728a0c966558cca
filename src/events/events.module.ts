import { Global, Module } from '@nestjs/common';
import { AuthModule } from '../auth/index.js';
import { EventCursor } from '../platform/http/event-cursor.port.js';
import { AddressBook } from './address-book.js';
import { AnnouncementCommands } from './announcement-commands.js';
import { AnnouncementsService } from './announcements.service.js';
import { EndWatch } from './end-watch.js';
import { Envelopes } from './envelope.js';
import { EventLog } from './event-log.js';
import { EventPages } from './event-pages.service.js';
import { EventRouter } from './event-router.js';
import { EventStreams } from './event-stream.js';
import { AnnouncementsController } from './http/announcements.controller.js';
import { AsyncApiController } from './http/asyncapi.controller.js';
import { EventsController } from './http/events.controller.js';
import { MessagesController } from './http/messages.controller.js';
import { RequestsController } from './http/requests.controller.js';
import { ResponsesController } from './http/responses.controller.js';
import { LogUpkeepSweep } from './jobs/log-upkeep.sweep.js';
import { MessageExpirySweep } from './jobs/message-expiry.sweep.js';
import { RequestDeadlineSweep } from './jobs/request-deadline.sweep.js';
import { TalkRetention } from './jobs/talk-retention.sweep.js';
import { MessageCommands } from './message-commands.js';
import { MessagesService } from './messages.service.js';
import { PostedEvents } from './posted-events.js';
import { Messages } from './realtime/messages.js';
import { SocketServer } from './realtime/socket-server.js';
import { SocketSubscriptions } from './realtime/subscriptions.js';
import { TalkMessages } from './realtime/talk-messages.js';
import { RequestCommands } from './request-commands.js';
import { RequestReads } from './request-reads.service.js';
import { RequestsService } from './requests.service.js';
import { RouterCursor } from './router-cursor.js';
import { Speakers } from './speakers.js';

/**
 * Global: every feature to the right writes into the log's channels and brings messages of its own. `Addressees` come from
 * agents.
 */
@Global()
@Module({
  imports: [AuthModule],
  controllers: [
    AnnouncementsController,
    AsyncApiController,
    EventsController,
    MessagesController,
    RequestsController,
    ResponsesController,
  ],
  providers: [
    AddressBook,
    AnnouncementCommands,
    AnnouncementsService,
    EndWatch,
    Envelopes,
    EventLog,
    EventPages,
    EventRouter,
    EventStreams,
    LogUpkeepSweep,
    MessageCommands,
    MessageExpirySweep,
    Messages,
    MessagesService,
    PostedEvents,
    RequestCommands,
    RequestDeadlineSweep,
    RequestReads,
    RequestsService,
    SocketServer,
    SocketSubscriptions,
    Speakers,
    TalkMessages,
    TalkRetention,
    { provide: EventCursor, useClass: RouterCursor },
  ],
  exports: [EndWatch, Envelopes, EventLog, EventRouter, Messages, EventCursor],
})
export class EventsModule {}
