import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { connect, createServer, type Server as NetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { createDatabase } from '../support/database.js';
import { ServerProcess, startServer } from '../support/processes.js';
import { until } from '../support/wait-for.js';

const SECRET = 'a-secret-of-the-tests';

describe('the server process', () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-server-'));
  // Open to the account that root runs PostgreSQL as, so that all there is lies here.
  chmodSync(folder, 0o755);
  const started: ServerProcess[] = [];
  const start = async (options: ConstructorParameters<typeof ServerProcess>[0]): Promise<ServerProcess> => {
    const server = await startServer(options);
    started.push(server);
    return server;
  };
  /** One that is expected to give up. */
  async function giveUp(env: Record<string, string>): Promise<{ code: number | null; lines: string[] }> {
    const server = new ServerProcess({
      dataDir: join(folder, 'refused'),
      env: { LOG_LEVEL: 'warn', ...env },
    });
    started.push(server);
    const { code } = await server.exited;
    return { code, lines: server.output().trim().split('\n') };
  }

  afterEach(async () => {
    await Promise.all(started.splice(0).map((server) => server.kill('SIGKILL')));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('says where it listens and where the admin’s secret lies, and ends with status 0 at SIGTERM, leaving nothing', async () => {
    const dataDir = join(folder, 'first');
    const server = await start({ dataDir });
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(server.output()).toContain(`${server.url}/docs`);
    expect(server.output()).toContain(`are in ${join(dataDir, 'admin.json')}`);
    const { client_id, client_secret } = JSON.parse(
      readFileSync(join(dataDir, 'admin.json'), 'utf8'),
    ) as Record<string, string>;
    const answer = await fetch(`${server.url}/api/v1/auth/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ grant_type: 'client_credentials', client_id, client_secret }),
    });
    expect(answer.status).toBe(200);

    const begun = Date.now();
    expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(Date.now() - begun).toBeLessThan(10_000);
    await until(() => processesOf(dataDir).length === 0);
  });

  it('needs at most 180 MB when idle', async () => {
    const dataDir = join(folder, 'second');
    await (await start({ dataDir })).kill();
    const server = await start({ dataDir });
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
    // What the start left behind is collected first.
    await until(() => residentMegabytes(server.pid) <= 180, { within: 15_000 });
  });

  it('goes on when its PostgreSQL is killed: not ready for a moment, then ready again', async () => {
    const server = await start({ dataDir: join(folder, 'crash') });
    const ready = async (): Promise<number> => (await fetch(`${server.url}/health/ready`)).status;
    expect(await ready()).toBe(200);
    const postmaster = Number(/embedded PostgreSQL, process (\d+)/.exec(server.output())?.[1]);
    process.kill(postmaster, 'SIGKILL');
    await until(async () => (await ready()) === 503);
    await until(async () => (await ready()) === 200, { within: 30_000 });
    expect(await server.kill()).toEqual({ code: 0, signal: null });
  });

  it('finishes what is in flight at the first signal, and does not wait for it after a second one', async () => {
    const server = await start({ dataDir: join(folder, 'hurry') });
    const { hostname, port } = new URL(server.url);
    const slow = connect(Number(port), hostname);
    slow.on('error', () => {});
    slow.write(
      'POST /api/v1/auth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n',
    );
    // A second request that is answered was sent after the first.
    await fetch(`${server.url}/health/live`);
    const begun = Date.now();
    const ended = server.kill('SIGTERM');
    await until(async () => (await fetch(`${server.url}/health/ready`)).status === 503);
    // npm repeats a Ctrl-C at once; that is no second signal.
    server.signal('SIGTERM');
    await delay(700);
    expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
    server.signal('SIGTERM');
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(Date.now() - begun).toBeLessThan(8_000);
  });

  it('ends with status 1 and in good order at a defect', async () => {
    const dataDir = join(folder, 'defect');
    const defect = Buffer.from(`process.on('SIGUSR2', () => { throw new Error('a planted defect'); });`);
    const script = `data:text/javascript;base64,${defect.toString('base64')}`;
    const server = await start({ dataDir, env: { NODE_OPTIONS: `--import=${script}` } });
    expect(await server.kill('SIGUSR2')).toEqual({ code: 1, signal: null });
    expect(server.output()).toContain('a planted defect');
    await until(() => processesOf(dataDir).length === 0);
  });

  it('leaves no PostgreSQL behind when it is killed', async () => {
    const dataDir = join(folder, 'killed');
    const server = await start({ dataDir });
    expect(processesOf(dataDir)).not.toEqual([]);
    await server.kill('SIGKILL');
    await until(() => processesOf(dataDir).length === 0);
  });

  it('ends at a signal that comes while it waits for a PostgreSQL that is away', async () => {
    const server = new ServerProcess({
      env: { DATABASE_URL: 'postgres://parley@127.0.0.1:1/parley', PARLEY_ADMIN_CLIENT_SECRET: SECRET },
    });
    started.push(server);
    await until(() => server.output().includes('PostgreSQL is not there yet'), { within: 60_000 });
    expect(await server.kill('SIGINT')).toEqual({ code: 0, signal: null });
  });

  it('starts as soon as the PostgreSQL it waits for is there', async () => {
    const database = await createDatabase();
    const { host = '' } = database.connection.direct('test');
    const later = join(folder, 'later');
    const server = new ServerProcess({
      env: {
        DATABASE_URL: database.url.replace(encodeURIComponent(host), encodeURIComponent(later)),
        PARLEY_ADMIN_CLIENT_SECRET: SECRET,
      },
    });
    started.push(server);
    await until(() => server.output().includes('PostgreSQL is not there yet'), { within: 60_000 });
    symlinkSync(host, later);
    const begun = Date.now();
    await server.listening();
    expect(Date.now() - begun).toBeLessThan(5_000);
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
    await server.kill();
    await database.drop();
  });

  describe('refuses to start with one line and status 1', () => {
    it('when its port is in use', async () => {
      const taken = createServer();
      const port = await listen(taken);
      const { code, lines } = await giveUp({ PORT: String(port) });
      await close(taken);
      expect(lines).toEqual([
        `Port ${port} of 127.0.0.1 is in use. Stop the program that has it, or set PORT; PORT=0 takes a free one.`,
      ]);
      expect(code).toBe(1);
      await until(() => processesOf(join(folder, 'refused')).length === 0);
    });

    it('for each variable that is wrong', async () => {
      const { code, lines } = await giveUp({ PORT: 'http', HEARTBEAT_INTERVAL: '0', PARLEY_ROLE: 'boss' });
      expect(lines).toHaveLength(3);
      expect(lines.map((line) => line.split(' ')[0])).toEqual(['PORT', 'PARLEY_ROLE', 'HEARTBEAT_INTERVAL']);
      expect(code).toBe(1);
    });

    it('when PostgreSQL does not let it in', async () => {
      const database = await createDatabase();
      const { code, lines } = await giveUp({
        DATABASE_URL: database.url.replace(/\/[^/]*$/, '/no_such_database'),
        PARLEY_ADMIN_CLIENT_SECRET: SECRET,
      });
      await database.drop();
      expect(lines).toEqual([
        'DATABASE_URL does not work: database "no_such_database" does not exist. ' +
          'Set it to a PostgreSQL database that this account may use.',
      ]);
      expect(code).toBe(1);
    });
  });
});

/** Everything that has this text on its command line, but for the servers' own Node processes. */
function processesOf(text: string): string[] {
  return execFileSync('ps', ['-eww', '-o', 'args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(text));
}

function residentMegabytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

async function listen(server: NetServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function close(server: NetServer): Promise<unknown> {
  return new Promise((resolve) => server.close(resolve));
}
