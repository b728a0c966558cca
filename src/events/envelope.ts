import { Injectable } from '@nestjs/common';
import type { LoggedEvent } from '../shared/domain-event.js';
import { EventLog } from './event-log.js';

/** The seed's message: the one envelope of every channel. */
export interface Envelope {
  readonly id: string;
  /** ISO 8601, database time. */
  readonly timestamp: string;
  readonly event_type: string;
  readonly source_agent: string | null;
  readonly target_agent: string | null;
  readonly correlation_id: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly topic: string;
  readonly project_id: string;
  /** Gapless per aggregate, from 1. */
  readonly seq: number;
  /** Opaque; orders the whole log. */
  readonly cursor: string;
}

/** Makes envelopes, each once, however many read it. */
@Injectable()
export class Envelopes {
  private readonly made = new WeakMap<LoggedEvent, Envelope>();

  constructor(private readonly log: EventLog) {}

  of(event: LoggedEvent): Envelope {
    const known = this.made.get(event);
    if (known !== undefined) return known;
    const envelope: Envelope = {
      id: event.id,
      timestamp: event.timestamp,
      event_type: event.type,
      source_agent: event.sourceAgent,
      target_agent: event.targetAgent,
      correlation_id: event.correlationId,
      payload: event.payload,
      topic: event.topic,
      project_id: event.projectId,
      seq: event.seq,
      cursor: this.log.cursor(event.pos),
    };
    this.made.set(event, envelope);
    return envelope;
  }
}
