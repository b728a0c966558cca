import { newId } from '../platform/new-id.js';
import type { DomainEvent } from '../shared/domain-event.js';
import type { SEVERITIES } from '../shared/words.js';

/** What somebody should know who looks after the system. */
export interface Alert {
  readonly projectId: string;
  readonly severity: (typeof SEVERITIES)[number];
  /** For people, with what to do about it. */
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** The event of an alert: an aggregate of its own, on the topic `system.alerts`. */
export function systemAlert(
  { projectId, severity, message, details }: Alert,
  now: string,
  correlationId?: string,
): DomainEvent {
  const id = newId();
  return {
    id,
    projectId,
    type: 'system.alert',
    topic: 'system.alerts',
    aggregateId: id,
    seq: 1,
    sourceAgent: null,
    targetAgent: null,
    correlationId: correlationId ?? id,
    timestamp: now,
    payload: { severity, message, details },
  };
}
