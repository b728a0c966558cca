// What is measured: an embedded Postgres and servers on it, each started here and stopped with the bench.
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { Api, tokenOf } from './api.mjs';
import { CAN_COUNT, cpuOf } from './cpu.mjs';

const ROOT = new URL('../../', import.meta.url);
/** What users start; and the same in files, so that a profile tells where it is. */
const BUNDLE = 'dist/server/main.js';
const MODULES = 'dist/src/main.js';
const PROJECT = 'bench';
const ADMIN = { PARLEY_ADMIN_CLIENT_ID: 'admin', PARLEY_ADMIN_CLIENT_SECRET: 'bench-admin-secret' };
const SCOPE =
  'agents:read agents:write tasks:read tasks:write workflows:read workflows:write events:read events:publish';

export class TestBed {
  #servers = [];

  /** @param profileIn folder for the server's CPU profile, which it writes when it stops */
  static async start({ profileIn }) {
    const dataDir = mkdtempSync(path.join(tmpdir(), 'parley-bench-'));
    // Open to the account that root runs PostgreSQL as, so that all there is lies here and goes with it.
    chmodSync(dataDir, 0o755);
    const bed = new TestBed(dataDir);
    const door = 'dist/src/platform/database/embedded-postgres/embedded-postgres.js';
    const { startEmbeddedPostgres } = await import(new URL(door, ROOT));
    // As the server would start it, which now shares it; only pgbench needs more connections than it allows.
    const settings = { max_connections: '300' };
    const flags = profileIn === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', path.resolve(profileIn)];
    try {
      bed.postgres = await startEmbeddedPostgres({ dataDir, settings, log: () => {} });
      bed.server = await bed.startServer(undefined, flags);
    } catch (error) {
      await bed.stop();
      throw error;
    }
    return bed;
  }

  constructor(dataDir) {
    this.dataDir = dataDir;
  }

  /** A server on the embedded default, or on another database of the same Postgres. */
  async startServer(database, flags = []) {
    if (database !== undefined) await this.query(`CREATE DATABASE ${database}`);
    const where = database === undefined ? {} : { DATABASE_URL: this.#urlOf(database) };
    const server = new Server({ PARLEY_DATA_DIR: this.dataDir, ...where }, flags);
    this.#servers.push(server);
    await server.ready();
    return server;
  }

  /** A statement on a database, the embedded default's when none is named. */
  async query(text, values, database = this.postgres.connection.database) {
    const client = new pg.Client({ ...this.postgres.connection, database });
    await client.connect();
    try {
      return (await client.query(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  /** CPU ms so far of a server, of Postgres, and of the given processes; all 0 where they cannot be counted. */
  cpu(loads, server = this.server) {
    if (!CAN_COUNT) return { server: 0, postgres: 0, load: 0 };
    return {
      server: cpuOf([server.pid]),
      postgres: cpuOf([this.postgres.pid]),
      load: cpuOf(loads),
    };
  }

  async stop() {
    await Promise.all(this.#servers.map((server) => server.stop()));
    await this.postgres?.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  #urlOf(database) {
    const { host, user, password } = this.postgres.connection;
    return `postgresql://${user}:${encodeURIComponent(password)}@localhost/${database}?host=${encodeURIComponent(host)}`;
  }
}

/** A server process, and what it takes to use it: a client of a project, and agents of that project. */
class Server {
  #child;
  #open = [];
  #lastWords = '';

  constructor(env, flags) {
    this.#child = spawn(process.execPath, [...flags, flags.length === 0 ? BUNDLE : MODULES], {
      cwd: ROOT,
      env: {
        PATH: process.env.PATH,
        PORT: '0',
        LOG_LEVEL: 'warn',
        // The load comes from one address and a few tokens.
        RATE_LIMIT_PER_MINUTE: '0',
        ...ADMIN,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.listens = new Promise((resolve) => {
      createInterface({ input: this.#child.stdout }).on('line', (line) => {
        const url = /^Parley listens on (\S+)$/.exec(line)?.[1];
        if (url !== undefined) resolve(url);
      });
    });
    this.#child.stderr.on('data', (text) => (this.#lastWords = (this.#lastWords + text).slice(-4000)));
  }

  get pid() {
    return this.#child.pid;
  }

  async ready() {
    this.url = await Promise.race([this.listens, this.exited.then(() => undefined)]);
    if (this.url === undefined) throw new Error(`the server did not start: ${this.#lastWords}`);
    const { PARLEY_ADMIN_CLIENT_ID: id, PARLEY_ADMIN_CLIENT_SECRET: secret } = ADMIN;
    const admin = new Api(this.url, await tokenOf(this.url, id, secret), 1);
    const body = { name: 'bench', project_id: PROJECT, scope: SCOPE };
    const client = await admin.post('/auth/clients', body);
    await admin.close();
    this.token = await tokenOf(this.url, client.client_id, client.client_secret);
    this.api = this.as(this);
  }

  /** Registers an agent with a token of its own. */
  async agent(type) {
    const id = `${type}-agent`;
    const configuration = { max_concurrent_tasks: 1000 };
    const { credentials } = await this.api.post('/agents/register', { id, type, configuration });
    return { id, token: await tokenOf(this.url, credentials.client_id, credentials.client_secret) };
  }

  /** Calls with the agent's own token. */
  as(agent) {
    const api = new Api(this.url, agent.token, 1);
    this.#open.push(api);
    return api;
  }

  async stop() {
    await Promise.all(this.#open.map((api) => api.close()));
    this.#child.kill('SIGTERM');
    await this.exited;
  }
}
