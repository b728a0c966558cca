import { Global, Module } from '@nestjs/common';
import { AuthModule } from '../auth/index.js';
import { EventCursor } from '../platform/http/event-cursor.port.js';
import { AckCommands } from './ack-commands.js';
import { Envelopes } from './envelope.js';
import { EventLog } from './event-log.js';
import { EventPages } from './event-pages.service.js';
import { EventRouter } from './event-router.js';
import { EventStreams } from './event-stream.js';
import { AsyncApiController } from './http/asyncapi.controller.js';
import { EventStreamController } from './http/event-stream.controller.js';
import { EventsController } from './http/events.controller.js';
import { MailboxController } from './http/mailbox.controller.js';
import { SubscriptionsController } from './http/subscriptions.controller.js';
import { LogUpkeepSweep } from './jobs/log-upkeep.sweep.js';
import { Mailboxes } from './mailboxes.service.js';
import { AgentChannels } from './realtime/agent-channels.js';
import { MailboxMessages } from './realtime/mailbox-messages.js';
import { Messages } from './realtime/messages.js';
import { Refresh } from './realtime/refresh.js';
import { SessionStreams } from './realtime/session-streams.js';
import { Sessions } from './realtime/sessions.js';
import { SocketServer } from './realtime/socket-server.js';
import { SocketSubscriptions } from './realtime/subscriptions.js';
import { RouterCursor } from './router-cursor.js';
import { SubscriptionsService } from './subscriptions.service.js';

/** Global: every feature to the right writes into the log's channels and brings messages of its own. */
@Global()
@Module({
  imports: [AuthModule],
  controllers: [
    AsyncApiController,
    EventsController,
    EventStreamController,
    MailboxController,
    SubscriptionsController,
  ],
  providers: [
    AckCommands,
    AgentChannels,
    Envelopes,
    EventLog,
    EventPages,
    EventRouter,
    EventStreams,
    LogUpkeepSweep,
    MailboxMessages,
    Mailboxes,
    Messages,
    Refresh,
    SessionStreams,
    Sessions,
    SocketServer,
    SocketSubscriptions,
    SubscriptionsService,
    { provide: EventCursor, useClass: RouterCursor },
  ],
  exports: [Envelopes, EventLog, EventRouter, Messages, EventCursor],
})
export class EventsModule {}
