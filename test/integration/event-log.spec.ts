import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { Envelopes } from '../../src/events/envelope.js';
import { EventLog } from '../../src/events/event-log.js';
import { EventRouter } from '../../src/events/event-router.js';
import { Database } from '../../src/platform/database/database.js';
import { LogWriter } from '../../src/platform/database/log-writer.js';
import { Transactor, type Transaction } from '../../src/platform/database/transactor.js';
import { newId } from '../../src/platform/new-id.js';
import { MemoryWakeUp } from '../../src/platform/wake-up/wake-up.memory.js';
import type { LoggedEvent } from '../../src/shared/domain-event.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { until } from '../support/wait-for.js';

const WRITERS = 12;
const EVENTS_EACH = 250;
const LOCK_COUNTER = {
  name: 'counter',
  text: 'UPDATE counters SET seq = seq + 1 WHERE id = $1 RETURNING seq',
};
const PAUSE = { name: 'pause', text: 'SELECT pg_sleep($1)' };

/** A process of its own, as far as the log is concerned: its writer, its router, its connections. */
class Process {
  readonly database: Database;
  readonly writer = new LogWriter();
  readonly transactor: Transactor;
  readonly router: EventRouter;
  readonly seen: LoggedEvent[] = [];

  constructor(test: TestDatabase) {
    this.database = new Database(test.connection);
    this.transactor = new Transactor(test.connection, this.writer);
    const log = new EventLog(this.database);
    this.router = new EventRouter(log, new Envelopes(log), this.writer, new MemoryWakeUp());
    this.router.onEvents((events) => this.seen.push(...events));
  }

  async stop(): Promise<void> {
    await this.router.onApplicationShutdown();
    await this.transactor.close();
    await this.database.close();
  }
}

class Rollback extends Error {}

describe('the log', () => {
  let test: TestDatabase;
  let look: pg.Client;
  const processes: Process[] = [];

  beforeAll(async () => {
    test = await createDatabase();
    look = new pg.Client(test.connection.direct('look'));
    await look.connect();
    await look.query('CREATE TABLE counters (id text PRIMARY KEY, seq int NOT NULL)');
    for (let i = 0; i < WRITERS; i += 1) await look.query('INSERT INTO counters VALUES ($1, 0)', [`w${i}`]);
    for (let i = 0; i < 4; i += 1) {
      const one = new Process(test);
      await one.router.onModuleInit();
      processes.push(one);
    }
  });
  afterAll(async () => {
    await Promise.all(processes.map((one) => one.stop()));
    await look.end();
    await test.drop();
  });

  const write = (
    process: Process,
    aggregate: string,
    during: (tx: Transaction) => Promise<void>,
  ): Promise<void> =>
    process.transactor.run(async (tx) => {
      const [row] = await tx.query<{ seq: number }>(LOCK_COUNTER, [aggregate]);
      tx.record({
        id: newId(),
        projectId: 'p',
        type: 'count.up',
        topic: 'count.up',
        aggregateId: aggregate,
        seq: row?.seq ?? 0,
        sourceAgent: null,
        targetAgent: null,
        correlationId: aggregate,
        timestamp: tx.now,
        payload: {},
      });
      await during(tx);
    });

  // Deterministic, so that a failure can be seen again.
  const random = (seed: number) => () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed / 2_147_483_648;
  };

  it('A8: every reader sees what 12 writers with delays and rollbacks wrote: all of it, gapless, in one order', async () => {
    // Of four connections each, so that all twelve do write at once; the last process only reads.
    const writing = processes.slice(0, -1);
    const writers = Array.from({ length: WRITERS }, async (_, i) => {
      const dice = random(i + 1);
      const process = writing[i % writing.length];
      if (process === undefined) throw new Error('no processes');
      for (let n = 0; n < EVENTS_EACH; n += 1) {
        if (dice() < 0.05) {
          const undone = write(process, `w${i}`, async () => {
            throw new Rollback();
          });
          await expect(undone).rejects.toBeInstanceOf(Rollback);
        }
        await write(process, `w${i}`, async (tx) => {
          if (dice() < 0.1) await tx.query(PAUSE, [dice() * 0.02]);
        });
      }
    });
    await Promise.all(writers);
    const total = WRITERS * EVENTS_EACH;
    for (const process of processes) await until(() => process.seen.length >= total, { within: 30_000 });

    const [reference = []] = processes.map((process) => process.seen.map((event) => event.pos));
    for (const { seen } of processes) {
      expect(seen).toHaveLength(total);
      expect(seen.map((event) => event.pos)).toEqual(reference);
      expect(reference).toEqual(reference.toSorted((a, b) => a - b));
      for (let i = 0; i < WRITERS; i += 1) {
        const seqs = seen.filter((event) => event.aggregateId === `w${i}`).map((event) => event.seq);
        expect(seqs).toEqual(Array.from({ length: EVENTS_EACH }, (_, n) => n + 1));
      }
    }
  }, 120_000);

  it('makes no reader and no writer wait for somebody’s open transaction', async () => {
    const [first, second] = processes;
    if (first === undefined || second === undefined) throw new Error('no processes');
    const before = second.seen.length;
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    let opened = (): void => {};
    const open = new Promise<void>((resolve) => (opened = resolve));
    const slow = write(first, 'w0', async () => {
      opened();
      await held;
    });
    await open;
    await write(first, 'w1', async () => {});
    await until(() => second.seen.length > before);
    expect(second.seen.at(-1)?.aggregateId).toBe('w1');
    release();
    await slow;
    await until(() => second.seen.at(-1)?.aggregateId === 'w0');
  });

  it('hands over at once what this process wrote, in the order in which others read it', async () => {
    const [first, second] = processes;
    if (first === undefined || second === undefined) throw new Error('no processes');
    const from = first.seen.length;
    await write(first, 'w2', async () => {});
    // No reading of the log lies between the commit and this line.
    expect(first.seen.length).toBe(from + 1);
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        write(i % 2 === 0 ? first : second, `w${i % WRITERS}`, async () => {}),
      ),
    );
    await until(() => first.seen.length === from + 51 && second.seen.length === first.seen.length);
    expect(second.seen.map((event) => event.id)).toEqual(first.seen.map((event) => event.id));
  });

  it('hands over without reading the log, whatever hints come back to the process that gave them', async () => {
    const [first] = processes;
    if (first === undefined) throw new Error('no processes');
    const reads = jest.spyOn(first.database, 'query');
    const from = first.seen.length;
    for (let i = 0; i < 200; i += 1) await write(first, 'w3', async () => {});
    await until(() => first.seen.length === from + 200);
    // Each poll reads, and again for as long as commits meet the reading; a hint that came back would read for each commit.
    expect(reads.mock.calls.length).toBeLessThan(100);
    reads.mockRestore();
  });
});
