import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { Batch, BatchHandler, LockMode, Outcome } from '../../src/platform/database/batch.js';
import { Batcher } from '../../src/platform/database/batcher.js';
import { LogWriter } from '../../src/platform/database/log-writer.js';
import type { Row, Statement } from '../../src/platform/database/statement.js';
import { newId } from '../../src/platform/new-id.js';
import { DomainError } from '../../src/shared/domain-error.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { until } from '../support/wait-for.js';
import { startPostgresProxy, type PostgresProxy } from '../support/postgres-proxy.js';

interface Deposit {
  readonly account: string;
  readonly amount: number;
  readonly note?: string;
}

/** A small bank: one row per account, one event per deposit. Whatever it loses or doubles shows in the sums. */
class Deposits implements BatchHandler<Deposit, number> {
  readonly order = 1;
  /** Hears that deposits are decided, and may send more, which join their batch. */
  onDecided: (() => void) | undefined;

  constructor(readonly name = 'deposits') {}

  load(commands: readonly Deposit[], mode: LockMode): Statement[] {
    const ids = [[...new Set(commands.map((command) => command.account))]];
    const skip = mode === 'skip' ? 'SKIP LOCKED' : '';
    return [
      {
        name: `lock-${mode}`,
        text: `SELECT * FROM accounts WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE ${skip}`,
        values: ids,
      },
      { name: 'known', text: 'SELECT id FROM accounts WHERE id = ANY($1::text[])', values: ids },
    ];
  }

  decide(
    commands: readonly Deposit[],
    [locked = [], known = []]: readonly (readonly Row[])[],
    batch: Batch,
  ): Outcome<number>[] {
    const sums = new Map(locked.map((row) => [String(row['id']), Number(row['sum'])]));
    const exists = new Set(known.map((row) => String(row['id'])));
    const opened = new Set<string>();
    const outcomes = commands.map(({ account, amount }): Outcome<number> => {
      if (amount < 0) return { refused: new DomainError('CONFLICT', 'no overdraft') };
      if (exists.has(account) && !sums.has(account)) return { busy: true };
      if (!sums.has(account)) opened.add(account);
      const sum = (sums.get(account) ?? 0) + amount;
      sums.set(account, sum);
      batch.record({
        id: newId(),
        projectId: 'p',
        type: 'deposit',
        topic: 'deposit',
        aggregateId: account,
        seq: sum,
        sourceAgent: null,
        targetAgent: null,
        correlationId: account,
        timestamp: batch.now,
        payload: { amount },
      });
      return { done: sum };
    });
    const notes = commands.flatMap((command) => command.note ?? []);
    for (const [id, sum] of sums) {
      const verb = opened.has(id)
        ? 'INSERT INTO accounts VALUES ($1, $2, NULL)'
        : 'UPDATE accounts SET sum = $2 WHERE id = $1';
      batch.write({ name: opened.has(id) ? 'open' : 'set', text: verb, values: [id, sum] });
    }
    for (const note of notes)
      batch.write({
        name: 'note',
        text: 'INSERT INTO notes VALUES ($1::jsonb, pg_current_xact_id()::text)',
        values: [note],
      });
    if (this.onDecided !== undefined) batch.beforeWrite(this.onDecided);
    return outcomes;
  }
}

describe('the batcher', () => {
  let database: TestDatabase;
  let proxy: PostgresProxy;
  let look: pg.Client;
  let batcher: Batcher;
  const handler = new Deposits();
  const deposit = (account: string, amount = 1, note?: string): Promise<number> =>
    batcher.submit(handler, { account, amount, ...(note === undefined ? {} : { note }) });
  const rows = async <R extends pg.QueryResultRow>(sql: string): Promise<R[]> =>
    (await look.query<R>(sql)).rows;

  beforeAll(async () => {
    database = await createDatabase();
    proxy = await startPostgresProxy(database.connection);
    look = new pg.Client(database.connection.direct('look'));
    await look.connect();
    await look.query(
      'CREATE TABLE accounts (id text PRIMARY KEY, sum int NOT NULL, x text); CREATE TABLE notes (note jsonb, xid text)',
    );
  });

  beforeEach(async () => {
    await look.query('TRUNCATE accounts, notes, events');
    batcher = new Batcher(proxy.connection, new LogWriter());
  });

  afterEach(async () => {
    await batcher.close();
  });

  afterAll(async () => {
    await look.end();
    await proxy.close();
    await database.drop();
  });

  it('commits what arrives together in one transaction, and a lone command at once', async () => {
    await deposit('alone', 1, '"first"');
    await Promise.all(Array.from({ length: 100 }, (_, i) => deposit(`a${i}`, 1, '"many"')));
    const [together] = await rows<{ n: number }>(
      `SELECT count(DISTINCT xid)::int AS n FROM notes WHERE note = '"many"'`,
    );
    expect(together?.n).toBe(1);
    const [all] = await rows<{ n: number }>('SELECT count(DISTINCT xid)::int AS n FROM notes');
    expect(all?.n).toBe(2);
  });

  it('folds commands on one row in the order they came', async () => {
    expect(await Promise.all([deposit('a', 1), deposit('a', 2), deposit('a', 3)])).toEqual([1, 3, 6]);
  });

  it('lets a refusal fail its own command only', async () => {
    const [good, bad] = await Promise.allSettled([deposit('a', 5), deposit('a', -1)]);
    expect(good).toMatchObject({ status: 'fulfilled', value: 5 });
    expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'CONFLICT' } });
  });

  it('finds the one statement that the database refuses, and commits the others', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => deposit(`a${i}`, 1, i === 13 ? 'not json' : '"fine"')),
    );
    expect(results.flatMap((result, i) => (result.status === 'rejected' ? [i] : []))).toEqual([13]);
    const [sum] = await rows<{ sum: number }>('SELECT sum(sum)::int AS sum FROM accounts');
    expect(sum?.sum).toBe(19);
  });

  it('sends a command whose row is busy to the slow path, where it waits alone', async () => {
    await deposit('busy', 1);
    const other = new pg.Client(database.connection.direct('other'));
    await other.connect();
    await other.query(`BEGIN; UPDATE accounts SET sum = sum + 10 WHERE id = 'busy'`);
    const waiting = deposit('busy', 1);
    await deposit('free', 1);
    await deposit('free', 1);
    await other.query('COMMIT');
    await other.end();
    expect(await waiting).toBe(12);
  });

  it('answers 503 when a busy row does not become free in time', async () => {
    await deposit('busy', 1);
    const other = new pg.Client(database.connection.direct('other'));
    await other.connect();
    await other.query(`BEGIN; UPDATE accounts SET sum = sum + 10 WHERE id = 'busy'`);
    await expect(deposit('busy', 1)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    await other.query('ROLLBACK');
    await other.end();
  });

  it('lets the loser of a race for a new key see the winner’s row', async () => {
    const other = new pg.Client(database.connection.direct('other'));
    await other.connect();
    await other.query(`BEGIN; INSERT INTO accounts VALUES ('new', 100, NULL)`);
    const loser = deposit('new', 1);
    await other.query(`SELECT pg_sleep(0.1)`);
    await other.query('COMMIT');
    await other.end();
    expect(await loser).toBe(101);
  });

  it('answers from memory when the COMMIT was done and only its answer was lost', async () => {
    await deposit('a', 1);
    proxy.cutAfterNextCommit();
    expect(await Promise.all([deposit('a', 1), deposit('b', 1)])).toEqual([2, 1]);
    expect(await rows('SELECT id, sum FROM accounts ORDER BY id')).toEqual([
      { id: 'a', sum: 2 },
      { id: 'b', sum: 1 },
    ]);
    const [events] = await rows<{ n: number }>('SELECT count(*)::int AS n FROM events');
    expect(events?.n).toBe(3);
  });

  it('does the batch again when the connection was lost before the COMMIT', async () => {
    await deposit('a', 1);
    proxy.cutBeforeNextCommit();
    expect(await deposit('a', 1)).toBe(2);
    const [events] = await rows<{ n: number }>('SELECT count(*)::int AS n FROM events');
    expect(events?.n).toBe(2);
  });

  it('does the work again when its backend is ended in the middle', async () => {
    await deposit('a', 1);
    const work = Promise.all(Array.from({ length: 50 }, () => deposit('a', 1)));
    await look.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'parley lane'`,
    );
    await work;
    expect(await rows('SELECT sum FROM accounts')).toEqual([{ sum: 51 }]);
  });

  it('refuses with 503 what exceeds its bounds, and goes on with the rest', async () => {
    const results = await Promise.allSettled(Array.from({ length: 10_050 }, () => deposit('a', 1)));
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(50);
    expect(refused[0]).toMatchObject({
      reason: { code: 'SERVICE_UNAVAILABLE', details: { retry_after: 1 } },
    });
    expect(await rows('SELECT sum FROM accounts')).toEqual([{ sum: 10_000 }]);
  });

  it('writes the log in commit order: positions are contiguous and gapless', async () => {
    await Promise.all(Array.from({ length: 300 }, (_, i) => deposit(`a${i % 7}`, 1)));
    const [range] = await rows<{ n: number; span: number }>(
      'SELECT count(*)::int AS n, (max(pos) - min(pos) + 1)::int AS span FROM events',
    );
    expect(range).toEqual({ n: 300, span: 300 });
  });

  describe('lets commands join that a batch brings on', () => {
    const follower = new Deposits('follower');

    /** Does a deposit, and one more that its decision brings on, once. @returns both answers, when they are there */
    async function withFollower(
      first: Deposit,
      second: Deposit,
      joins = true,
    ): Promise<PromiseSettledResult<number>[]> {
      let followed: Promise<number> | undefined;
      const leader = new Deposits('leader');
      leader.onDecided = () => {
        followed ??= batcher.submit(follower, second, 512, joins);
        followed.catch(() => {});
      };
      const led = await Promise.allSettled([batcher.submit(leader, first)]);
      return [...led, ...(await Promise.allSettled(followed === undefined ? [] : [followed]))];
    }
    const answers = (results: readonly PromiseSettledResult<number>[]): unknown[] =>
      results.map((result) => (result.status === 'fulfilled' ? result.value : 'rejected'));
    const transactions = async (): Promise<number> =>
      (await rows<{ n: number }>('SELECT count(DISTINCT xid)::int AS n FROM notes'))[0]?.n ?? 0;
    const events = async (): Promise<number> =>
      (await rows<{ n: number }>('SELECT count(*)::int AS n FROM events'))[0]?.n ?? 0;

    it('in its own transaction, where they see what it wrote', async () => {
      const results = await withFollower(
        { account: 'a', amount: 1, note: '1' },
        { account: 'a', amount: 2, note: '2' },
      );
      expect(answers(results)).toEqual([1, 3]);
      expect(await transactions()).toBe(1);
    });

    it('but none that does not say so: it waits for its turn', async () => {
      const results = await withFollower(
        { account: 'a', amount: 1, note: '1' },
        { account: 'a', amount: 2, note: '2' },
        false,
      );
      expect(answers(results)).toEqual([1, 3]);
      expect(await transactions()).toBe(2);
    });

    it('twice at most: who comes later has the next transaction', async () => {
      let sent = 0;
      const chain = new Deposits('chain');
      const all: Promise<number>[] = [];
      chain.onDecided = () => {
        if ((sent += 1) > 3) return;
        all.push(batcher.submit(chain, { account: 'a', amount: 1, note: '1' }, 512, true));
      };
      all.push(batcher.submit(chain, { account: 'a', amount: 1, note: '1' }));
      await until(async () => (await rows('SELECT FROM notes')).length === 3);
      expect(await Promise.all(all)).toEqual([1, 2, 3]);
      expect(await transactions()).toBe(1);
      // Its last decision could be joined no more, and was not told.
      expect(sent).toBe(2);
    });

    it('and does without one that the database refuses', async () => {
      const results = await withFollower(
        { account: 'a', amount: 1, note: '1' },
        { account: 'a', amount: 2, note: 'not json' },
      );
      expect(answers(results)).toEqual([1, 'rejected']);
      expect(await rows('SELECT sum FROM accounts')).toEqual([{ sum: 1 }]);
      expect(await events()).toBe(1);
    });

    it('and does both once when the connection is lost before the COMMIT', async () => {
      await deposit('a', 1);
      proxy.cutBeforeNextCommit();
      const results = await withFollower({ account: 'a', amount: 1 }, { account: 'a', amount: 2 });
      expect(answers(results)).toEqual([2, 4]);
      expect(await events()).toBe(3);
    });

    it('and answers both when only the answer of the COMMIT was lost', async () => {
      await deposit('a', 1);
      proxy.cutAfterNextCommit();
      const results = await withFollower({ account: 'a', amount: 1 }, { account: 'a', amount: 2 });
      expect(answers(results)).toEqual([2, 4]);
      expect(await events()).toBe(3);
    });
  });
});
