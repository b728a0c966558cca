import { Transactor } from '../../src/platform/database/transactor.js';
import { newId } from '../../src/platform/new-id.js';
import type { TestApp } from './app.js';

interface Told {
  readonly projectId?: string;
  readonly type?: string;
  readonly topic?: string;
  readonly correlationId?: string;
  readonly payload?: Readonly<Record<string, unknown>>;
  /** The row key of the agent whose mailbox it is in; default: none. */
  readonly mailbox?: string;
  /** Told to its mailbox alone; default: false. */
  readonly isPrivate?: boolean;
}

/** Writes events into the app's log, one transaction for all of them, each of an aggregate of its own. */
export async function writeEvents(app: TestApp, events: readonly Told[]): Promise<string[]> {
  const ids = events.map(() => newId());
  await app.app.get(Transactor, { strict: false }).run(async (tx) => {
    for (const [index, told] of events.entries()) {
      const id = ids[index] ?? '';
      const { type = 'count.up', projectId = 'p', correlationId = id, payload = {} } = told;
      const { mailbox = null, isPrivate = false } = told;
      tx.record({
        id,
        projectId,
        type,
        topic: told.topic ?? type,
        aggregateId: id,
        seq: 1,
        sourceAgent: null,
        targetAgent: null,
        correlationId,
        timestamp: tx.now,
        payload,
        mailbox,
        isPrivate,
      });
    }
  });
  return ids;
}
