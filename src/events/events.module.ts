import { Global, Module } from '@nestjs/common';
import { AuthModule } from '../auth/index.js';
import { EventCursor } from '../platform/http/event-cursor.port.js';
import { Envelopes } from './envelope.js';
import { EventLog } from './event-log.js';
import { EventPages } from './event-pages.service.js';
import { EventRouter } from './event-router.js';
import { EventStreams } from './event-stream.js';
import { AsyncApiController } from './http/asyncapi.controller.js';
import { EventsController } from './http/events.controller.js';
import { LogUpkeepSweep } from './jobs/log-upkeep.sweep.js';
import { Messages } from './realtime/messages.js';
import { SocketServer } from './realtime/socket-server.js';
import { SocketSubscriptions } from './realtime/subscriptions.js';
import { RouterCursor } from './router-cursor.js';

/** Global: every feature to the right writes into the log's channels and brings messages of its own. */
@Global()
@Module({
  imports: [AuthModule],
  controllers: [AsyncApiController, EventsController],
  providers: [
    Envelopes,
    EventLog,
    EventPages,
    EventRouter,
    EventStreams,
    LogUpkeepSweep,
    Messages,
    SocketServer,
    SocketSubscriptions,
    { provide: EventCursor, useClass: RouterCursor },
  ],
  exports: [Envelopes, EventLog, EventRouter, Messages, EventCursor],
})
export class EventsModule {}
