import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { AppConfig } from '../../config/app-config.js';
import { Database } from '../../src/platform/database/database.js';
import { LogWriter } from '../../src/platform/database/log-writer.js';
import { NO_OUTAGE, ServerPulse } from '../../src/platform/database/server-pulse.js';
import { Transactor } from '../../src/platform/database/transactor.js';
import { Sweeps } from '../../src/platform/sweeps/sweeps.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { until } from '../support/wait-for.js';

const STOP = {
  name: 'stop-pulse',
  text: 'UPDATE server_pulse SET beat_at = clock_timestamp() - make_interval(secs => $1::float8)',
};
const LEASE = {
  name: 'lease',
  text: `SELECT value::float8 AS seconds FROM server_settings WHERE name = 'lease'`,
};
const CREDIT = {
  name: 'credit',
  text: `UPDATE server_settings SET value = value::float8 + $1::float8 WHERE name = 'lease'`,
};

/** One server process, as far as its pulse goes. */
class Process {
  readonly credits: number[] = [];
  private readonly database: Database;
  private readonly transactor: Transactor;
  private readonly sweeps: Sweeps;
  readonly pulse: ServerPulse;

  constructor({ connection }: TestDatabase, env: Record<string, string> = {}) {
    this.database = new Database(connection);
    this.transactor = new Transactor(connection, new LogWriter());
    this.sweeps = new Sweeps(new AppConfig(env));
    this.pulse = new ServerPulse(this.database, this.transactor, this.sweeps);
    this.pulse.onOutage(async (tx, seconds) => {
      this.credits.push(seconds);
      await tx.query(CREDIT, [seconds]);
    });
    this.pulse.onModuleInit();
  }

  async boot(): Promise<void> {
    await this.pulse.onApplicationBootstrap();
    this.sweeps.onApplicationBootstrap();
  }

  async end(): Promise<void> {
    await this.sweeps.onModuleDestroy();
    await Promise.all([this.transactor.close(), this.database.close()]);
  }
}

// Some tests make trouble on purpose.
Logger.overrideLogger(false);

describe('the pulse of the servers', () => {
  let database: TestDatabase;
  let sql: Database;
  let processes: Process[] = [];

  beforeAll(async () => {
    database = await createDatabase();
    sql = new Database(database.connection);
  });
  beforeEach(async () => {
    await sql.query({
      name: 'new-lease',
      text: `INSERT INTO server_settings VALUES ('lease', 0) ON CONFLICT (name) DO UPDATE SET value = 0`,
    });
  });
  afterEach(async () => {
    await Promise.all(processes.map((one) => one.end()));
    processes = [];
  });
  afterAll(async () => {
    await sql.close();
    await database.drop();
  });

  const make = (env?: Record<string, string>): Process => {
    const one = new Process(database, env);
    processes.push(one);
    return one;
  };
  const lease = async (): Promise<number> =>
    Number((await sql.query<{ seconds: number }>(LEASE))[0]?.seconds);
  const silence = async (): Promise<number> => {
    const text =
      'SELECT extract(epoch FROM clock_timestamp() - beat_at)::float8 AS silence FROM server_pulse';
    return Number((await sql.query<{ silence: number }>({ name: 'silence', text }))[0]?.silence);
  };
  const calm = async (): Promise<boolean> => {
    const [row] = await sql.query<{ calm: boolean }>({ name: 'calm', text: `SELECT ${NO_OUTAGE} AS calm` });
    return row?.calm === true;
  };

  it('credits an outage that a start finds, as long as it was', async () => {
    await sql.query(STOP, [100]);
    expect(await calm()).toBe(false);
    await make().boot();
    expect(await lease()).toBeGreaterThanOrEqual(100);
    expect(await lease()).toBeLessThan(102);
    expect(await calm()).toBe(true);
  });

  it('credits whole milliseconds: times that are read have no more, and a walk goes on behind what it read', async () => {
    await sql.query(STOP, [100.000_123]);
    const one = make();
    await one.boot();
    const [credit = 0] = one.credits;
    expect(credit).toBeCloseTo(Math.round(credit * 1000) / 1000, 9);
  });

  it('credits it once, however many processes find it at the same moment', async () => {
    await sql.query(STOP, [100]);
    const six = [1, 2, 3, 4, 5, 6].map(() => make());
    await Promise.all(six.map((one) => one.boot()));
    expect(six.flatMap((one) => one.credits)).toHaveLength(1);
    expect(await lease()).toBeLessThan(102);
  });

  it('calls less than 5 s no outage', async () => {
    await sql.query(STOP, [4]);
    expect(await calm()).toBe(true);
    await make().boot();
    expect(await lease()).toBe(0);
    expect(await silence()).toBeLessThan(1);
  });

  it.each(['all', 'api', 'worker'])('beats each second in a process of role %s', async (PARLEY_ROLE) => {
    await make({ PARLEY_ROLE }).boot();
    await sql.query(STOP, [3]);
    await until(async () => (await silence()) < 1);
    expect(await lease()).toBe(0);
  });

  it('credits an outage that comes while it runs', async () => {
    await make().boot();
    await sql.query(STOP, [30]);
    await until(async () => (await lease()) >= 30);
    expect(await lease()).toBeLessThan(33);
  });

  it('credits the outage later when the credit fails, all of it', async () => {
    await sql.query(STOP, [50]);
    const one = make();
    let failures = 2;
    one.pulse.onOutage(async () => {
      failures -= 1;
      if (failures >= 0) throw new Error('not now');
    });
    await one.boot();
    expect(await lease()).toBe(0);
    expect(await calm()).toBe(false);
    await until(async () => (await lease()) >= 50);
    expect(await calm()).toBe(true);
  });
});
