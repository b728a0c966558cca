import { Injectable } from '@nestjs/common';
import type { Caller } from '../auth/index.js';
import { Batcher } from '../platform/database/batcher.js';
import { newId } from '../platform/new-id.js';
import { AnnouncementCommands } from './announcement-commands.js';
import type { Envelope } from './envelope.js';
import { PostedEvents } from './posted-events.js';
import type { Posting } from './posting.js';
import { Speakers } from './speakers.js';
import { type Alert, systemAlert } from './system-alert.js';

/** A publication as it was posted. */
export interface PostedPublication {
  readonly topic: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly source_agent?: string | null;
  readonly correlation_id?: string | null;
}

/** What is said to whom it may concern: publications of agents and clients, alerts of the admin. */
@Injectable()
export class AnnouncementsService {
  constructor(
    private readonly batcher: Batcher,
    private readonly commands: AnnouncementCommands,
    private readonly speakers: Speakers,
    private readonly posted: PostedEvents,
  ) {}

  /** @throws DomainError FORBIDDEN for somebody else's name as the source, NOT_FOUND for nobody's */
  async publish(
    caller: Caller,
    { topic, data, source_agent: named, correlation_id: given }: PostedPublication,
    { projectId, correlationId, bytes }: Posting,
  ): Promise<Envelope> {
    const { agentId: sourceAgent } = await this.speakers.of(caller, projectId, named);
    const id = newId();
    const event = {
      id,
      projectId,
      type: 'message.published',
      topic,
      aggregateId: id,
      seq: 1,
      sourceAgent,
      targetAgent: null,
      correlationId: given ?? correlationId ?? id,
      payload: data,
    };
    const command = { make: (timestamp: string) => ({ ...event, timestamp }) };
    return this.posted.envelope(await this.batcher.submit(this.commands, command, bytes));
  }

  async alert(
    alert: Omit<Alert, 'projectId'>,
    { projectId, correlationId, bytes }: Posting,
  ): Promise<Envelope> {
    const command = { make: (now: string) => systemAlert({ ...alert, projectId }, now, correlationId) };
    return this.posted.envelope(await this.batcher.submit(this.commands, command, bytes));
  }
}
