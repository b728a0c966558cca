import { Injectable } from '@nestjs/common';
import type { Batch, BatchHandler, Outcome } from '../platform/database/batch.js';
import type { Row, Statement } from '../platform/database/statement.js';
import type { DomainEvent } from '../shared/domain-event.js';
import type { PostedKey } from './posted-events.js';

/** Something said to whom it may concern: an event that changes nothing, a publication or an alert. */
interface Announcement {
  /** @param now database time */
  readonly make: (now: string) => DomainEvent;
}

/** The batch's way with announcements. */
@Injectable()
export class AnnouncementCommands implements BatchHandler<Announcement, PostedKey> {
  readonly name = 'announcements';
  readonly order = 54;
  readonly effects = { nameOf: (): string => 'announce', isEffect: (): boolean => true };

  load(): Statement[] {
    return [];
  }

  decide(
    commands: readonly Announcement[],
    _loaded: readonly (readonly Row[])[],
    batch: Batch,
  ): Outcome<PostedKey>[] {
    return commands.map(({ make }) => {
      const event = make(batch.now);
      batch.record(event);
      return { done: { id: event.id, projectId: event.projectId } };
    });
  }
}
