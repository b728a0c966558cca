import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { commitOutcome } from '../../src/platform/database/commit.js';
import { newId } from '../../src/platform/new-id.js';
import type { DomainEvent } from '../../src/shared/domain-event.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

describe('what became of a transaction whose COMMIT got no answer', () => {
  let database: TestDatabase;
  let client: pg.Client;

  beforeAll(async () => {
    database = await createDatabase();
    client = new pg.Client(database.connection.direct('test'));
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await database.drop();
  });

  /** A transaction in progress. */
  async function begin(): Promise<{ xid: string; now: string }> {
    await client.query('BEGIN');
    const facts = 'SELECT pg_current_xact_id()::text AS xid, clock_timestamp()::text AS now';
    const { rows } = await client.query<{ xid: string; now: string }>(facts);
    return rows[0] ?? { xid: '', now: '' };
  }

  async function write({ id, aggregateId }: DomainEvent): Promise<void> {
    await client.query(
      `INSERT INTO events (project_id, id, type, topic, aggregate_id, seq, correlation_id, payload, created_at)
       VALUES ('p', $1, 't', 't', $2, 1, 'c', '{}', now())`,
      [id, aggregateId],
    );
  }

  const outcome = (facts: { xid: string; now: string }, ...events: DomainEvent[]): Promise<string> =>
    commitOutcome({ ...facts, events }, database.connection.serving('test'));

  it('is committed when its event is there, once it has ended', async () => {
    const facts = await begin();
    const event = newEvent();
    await write(event);
    const asked = outcome(facts, event);
    await client.query('COMMIT');
    expect(await asked).toBe('committed');
  });

  it('is aborted when it was rolled back, with events or without', async () => {
    const facts = await begin();
    await client.query('ROLLBACK');
    expect(await outcome(facts, newEvent())).toBe('aborted');
    expect(await outcome(facts)).toBe('aborted');
  });

  it('is aborted when its number, after a crash of Postgres, is another one’s that committed', async () => {
    const facts = await begin();
    await write(newEvent());
    await client.query('COMMIT');
    expect(await outcome(facts, newEvent())).toBe('aborted');
  });

  it('is aborted when its number, after a crash of Postgres, is nobody’s yet', async () => {
    const { xid, now } = await begin();
    await client.query('ROLLBACK');
    const future = { xid: String(BigInt(xid) + 1_000_000n), now };
    expect(await outcome(future, newEvent())).toBe('aborted');
    expect(await outcome(future)).toBe('aborted');
  });

  it('believes the number of a transaction without events only to the Postgres that gave it', async () => {
    const facts = await begin();
    await client.query('COMMIT');
    expect(await outcome(facts)).toBe('committed');
    expect(await outcome({ ...facts, now: '2000-01-01T00:00:00.000Z' })).toBe('unknown');
  });
});

function newEvent(): DomainEvent {
  return {
    id: newId(),
    projectId: 'p',
    type: 't',
    topic: 't',
    aggregateId: newId(),
    seq: 1,
    sourceAgent: null,
    targetAgent: null,
    correlationId: 'c',
    timestamp: new Date().toISOString(),
    payload: {},
  };
}
