import { Injectable } from '@nestjs/common';
import type { Session } from './session.js';

/** Tells of sockets that have connected, for what they get without asking. */
@Injectable()
export class Sessions {
  private readonly listeners: ((session: Session) => void)[] = [];

  onOpened(listener: (session: Session) => void): void {
    this.listeners.push(listener);
  }

  opened(session: Session): void {
    for (const listener of this.listeners) listener(session);
  }
}
