import { Injectable } from '@nestjs/common';
import { EventCursor } from '../platform/http/event-cursor.port.js';
import { EventLog } from './event-log.js';
import { EventRouter } from './event-router.js';

/** `X-Event-Cursor`: where this process's stream is, taken before the read. What is read may know more, never less. */
@Injectable()
export class RouterCursor extends EventCursor {
  constructor(
    private readonly log: EventLog,
    private readonly router: EventRouter,
  ) {
    super();
  }

  current(): string {
    return this.log.cursor(this.router.reached);
  }
}
