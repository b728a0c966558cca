import { Injectable } from '@nestjs/common';
import type { DomainEvent } from '../../shared/domain-event.js';
import { runAll } from './after-commit.js';
import type { Statement } from './statement.js';

/** Any number: what matters is that every writer of every process takes the same advisory lock. */
const LOG_LOCK = 7_316_202_411;

/** Held by every writer from before its events get their positions until they are committed. */
export const LOCK_LOG: Statement = { name: 'log-lock', text: `SELECT pg_advisory_xact_lock(${LOG_LOCK})` };

const INSERT_EVENTS = {
  name: 'log-insert',
  text: `WITH written AS (
    INSERT INTO events (project_id, id, type, topic, aggregate_id, seq, source_agent, target_agent, correlation_id, payload, created_at, mailbox, is_private)
    SELECT * FROM json_to_recordset($1::json) AS e(project_id text, id text, type text, topic text, aggregate_id text,
      seq bigint, source_agent text, target_agent text, correlation_id text, payload json, created_at timestamptz,
      mailbox text, is_private boolean)
    RETURNING pos)
  SELECT min(pos) AS first_pos FROM written`,
};

/** Called after a commit: the events and the position of the first (they are contiguous), or undefined if only the log knows. */
export type CommitListener = (events: readonly DomainEvent[], firstPos: number | undefined) => void;

/**
 * The writing end of the one log. A transaction takes the log's lock last and inserts its events right before COMMIT,
 * so `pos` is in commit order and a reader of `pos > cursor` misses nothing (DESIGN §5). After the lock nothing may
 * wait: the three statements go in one pipeline with the COMMIT.
 */
@Injectable()
export class LogWriter {
  private readonly listeners: CommitListener[] = [];

  /** The statements that go right before COMMIT; the last one's row holds `first_pos`. */
  append(events: readonly DomainEvent[]): Statement[] {
    if (events.length === 0) return [];
    const rows = events.map((event) => ({
      project_id: event.projectId,
      id: event.id,
      type: event.type,
      topic: event.topic,
      aggregate_id: event.aggregateId,
      seq: event.seq,
      source_agent: event.sourceAgent,
      target_agent: event.targetAgent,
      correlation_id: event.correlationId,
      payload: event.payload,
      created_at: event.timestamp,
      mailbox: event.mailbox,
      is_private: event.isPrivate ?? false,
    }));
    return [LOCK_LOG, { ...INSERT_EVENTS, values: [JSON.stringify(rows)] }];
  }

  onCommitted(listener: CommitListener): void {
    this.listeners.push(listener);
  }

  committed(events: readonly DomainEvent[], firstPos: number | undefined): void {
    if (events.length === 0) return;
    runAll(this.listeners.map((listener) => () => listener(events, firstPos)));
  }
}
