import { Global, Module } from '@nestjs/common';
import { AuthModule } from '../auth/index.js';
import { EventCursor } from '../platform/http/event-cursor.port.js';
import { AckCommands } from './ack-commands.js';
import { AddressBook } from './address-book.js';
import { AnnouncementCommands } from './announcement-commands.js';
import { AnnouncementsService } from './announcements.service.js';
import { DeliveriesService } from './deliveries.service.js';
import { DeliveryTry } from './delivery-try.js';
import { EndWatch } from './end-watch.js';
import { Envelopes } from './envelope.js';
import { EventLog } from './event-log.js';
import { EventPages } from './event-pages.service.js';
import { EventRouter } from './event-router.js';
import { EventStreams } from './event-stream.js';
import { AnnouncementsController } from './http/announcements.controller.js';
import { AsyncApiController } from './http/asyncapi.controller.js';
import { EventStreamController } from './http/event-stream.controller.js';
import { DeliveriesController } from './http/deliveries.controller.js';
import { EventsController } from './http/events.controller.js';
import { MailboxController } from './http/mailbox.controller.js';
import { SubscriptionsController } from './http/subscriptions.controller.js';
import { LogUpkeepSweep } from './jobs/log-upkeep.sweep.js';
import { Mailboxes } from './mailboxes.service.js';
import { AgentChannels } from './realtime/agent-channels.js';
import { MailboxMessages } from './realtime/mailbox-messages.js';
import { MessagesController } from './http/messages.controller.js';
import { RequestsController } from './http/requests.controller.js';
import { ResponsesController } from './http/responses.controller.js';
import { DeliveryRetention } from './jobs/delivery-retention.sweep.js';
import { DeliverySweep } from './jobs/delivery.sweep.js';
import { MessageExpirySweep } from './jobs/message-expiry.sweep.js';
import { RequestDeadlineSweep } from './jobs/request-deadline.sweep.js';
import { TalkRetention } from './jobs/talk-retention.sweep.js';
import { WebhookFanOut } from './jobs/webhook-fan-out.sweep.js';
import { MessageCommands } from './message-commands.js';
import { MessagesService } from './messages.service.js';
import { PostedEvents } from './posted-events.js';
import { Messages } from './realtime/messages.js';
import { Refresh } from './realtime/refresh.js';
import { SessionStreams } from './realtime/session-streams.js';
import { Sessions } from './realtime/sessions.js';
import { SocketServer } from './realtime/socket-server.js';
import { SocketSubscriptions } from './realtime/subscriptions.js';
import { TalkMessages } from './realtime/talk-messages.js';
import { RequestCommands } from './request-commands.js';
import { RequestEnds } from './request-ends.js';
import { RequestReads } from './request-reads.service.js';
import { RequestsService } from './requests.service.js';
import { RouterCursor } from './router-cursor.js';
import { SubscriptionsService } from './subscriptions.service.js';
import { Speakers } from './speakers.js';

/**
 * Global: every feature to the right writes into the log's channels and brings messages of its own. `Addressees` and
 * `WebhookSecrets` come from agents.
 */
@Global()
@Module({
  imports: [AuthModule],
  controllers: [
    AnnouncementsController,
    AsyncApiController,
    DeliveriesController,
    EventsController,
    EventStreamController,
    MailboxController,
    MessagesController,
    RequestsController,
    ResponsesController,
    SubscriptionsController,
  ],
  providers: [
    AckCommands,
    AddressBook,
    AgentChannels,
    AnnouncementCommands,
    AnnouncementsService,
    DeliveriesService,
    DeliveryRetention,
    DeliverySweep,
    DeliveryTry,
    EndWatch,
    Envelopes,
    EventLog,
    EventPages,
    EventRouter,
    EventStreams,
    LogUpkeepSweep,
    MailboxMessages,
    Mailboxes,
    MessageCommands,
    MessageExpirySweep,
    Messages,
    MessagesService,
    PostedEvents,
    Refresh,
    RequestCommands,
    RequestDeadlineSweep,
    RequestEnds,
    RequestReads,
    RequestsService,
    SessionStreams,
    Sessions,
    SocketServer,
    SocketSubscriptions,
    Speakers,
    SubscriptionsService,
    TalkMessages,
    TalkRetention,
    WebhookFanOut,
    { provide: EventCursor, useClass: RouterCursor },
  ],
  exports: [EndWatch, Envelopes, EventLog, EventRouter, Messages, EventCursor],
})
export class EventsModule {}
