import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../support/free-port.js';
import { startServer, type ServerProcess } from '../support/processes.js';
import { until } from '../support/wait-for.js';
import { check } from './checks.js';
import { type Answer, type Call, codeOf, request } from './client.js';
import type { Finding } from './finding.js';
import { type AgentOptions, FleetAgent, killed, startProcess } from './fleet.js';
import { type History, type Outcome, readHistory, type What } from './history.js';
import { openTasks, readLog, readTasks } from './outcome.js';
import { Recorder } from './recorder.mjs';

/** Every scenario's numbers come from this; printed with its report. */
export const SEED = Number(process.env['CHAOS_SEED'] ?? 20_260_201);

const TYPE = 'work';
const ADMIN = { client_id: 'admin', client_secret: 'the-admin-of-the-chaos' };
/** Requests of one scenario's creators at a time. */
const CREATORS = 4;

export interface WorldOptions {
  /** DATABASE_URL. */
  readonly database: string;
  readonly seed?: number;
  /** One server for each, with its clock wrong by so many ms. */
  readonly clocks?: readonly number[];
  /** HEARTBEAT_INTERVAL; a lease lasts three of them. */
  readonly heartbeatSeconds?: number;
  /** The build to run; default: the one in dist/. */
  readonly main?: string;
}

/** Everything a run leaves to be judged. */
export interface Verdict {
  readonly history: History;
  readonly outcome: Outcome;
  readonly findings: readonly Finding[];
}

/** Servers, a fleet of agents and subscribers, and the driver that does things to them. All that any client saw is recorded. */
export class World {
  readonly servers: ServerProcess[] = [];
  readonly agents: FleetAgent[] = [];
  readonly driver: Recorder;
  /** How long each restarted server took to its first 2xx, in ms. */
  readonly restarts: number[] = [];
  readonly leaseMs: number;
  readonly seed: number;
  private readonly subscribers: { readonly child: ChildProcess; last: string }[] = [];
  private readonly environments: Record<string, string>[] = [];
  private admin = '';
  /** Each run has a project, and so a log, of its own. */
  private readonly project = `chaos-${Date.now()}`;
  /** Of the client that creates and reads. */
  token = '';
  created = 0;
  private stopped = false;
  private readonly ask: Call = (method, path, body) => this.call(method, path, body);

  private constructor(
    readonly history: string,
    private readonly options: WorldOptions,
  ) {
    this.driver = new Recorder(history, 'driver');
    this.seed = options.seed ?? SEED;
    this.leaseMs = (options.heartbeatSeconds ?? 1) * 3_000;
  }

  static async start(options: WorldOptions): Promise<World> {
    const world = new World(await mkdtemp(join(tmpdir(), 'parley-history-')), options);
    const { clocks = [0], heartbeatSeconds = 1 } = options;
    for (const shift of clocks) {
      world.environments.push({
        PORT: String(await freePort()),
        DATABASE_URL: options.database,
        PARLEY_ADMIN_CLIENT_ID: ADMIN.client_id,
        PARLEY_ADMIN_CLIENT_SECRET: ADMIN.client_secret,
        HEARTBEAT_INTERVAL: String(heartbeatSeconds),
        RATE_LIMIT_PER_MINUTE: '0',
        LOG_LEVEL: 'error',
        ...(shift === 0 ? {} : { PARLEY_CLOCK_SHIFT_MS: String(shift), NODE_OPTIONS: `--import ${CLOCK}` }),
      });
    }
    for (const index of clocks.keys()) world.servers.push(await world.serve(index));
    world.admin = await world.tokenOf(ADMIN);
    const scope =
      'tasks:read tasks:write events:read agents:read agents:write workflows:read workflows:write';
    const { body } = await world.call(
      'POST',
      '/auth/clients',
      { name: 'chaos', project_id: world.project, scope },
      world.admin,
    );
    world.token = await world.tokenOf(body);
    return world;
  }

  get urls(): string[] {
    return this.environments.map((env) => `http://127.0.0.1:${env['PORT']}`);
  }

  /** The environment of one server more. */
  environment(): Record<string, string> {
    return { ...this.environments[0], PORT: '0' };
  }

  get completed(): number {
    return this.agents.reduce((sum, agent) => sum + agent.completed.size, 0);
  }

  /** Starts a server and resolves when it listens. */
  serve(index = 0): Promise<ServerProcess> {
    return startServer({
      env: this.environments[index] ?? {},
      ...(this.options.main === undefined ? {} : { main: this.options.main }),
    });
  }

  /** `kill -9` of the only server, which is started again at once. */
  async crashServer(): Promise<void> {
    this.driver.note('down', {});
    await this.servers[0]?.kill('SIGKILL');
    const since = Date.now();
    this.servers[0] = await this.serve();
    await this.ready();
    this.restarts.push(Date.now() - since);
    this.driver.note('up', {});
  }

  /** SIGTERM; the server is started again when it has ended. */
  async restartServer(): Promise<{ code: number | null; took: number }> {
    const since = Date.now();
    this.driver.note('down', {});
    const exit = await this.servers[0]?.kill('SIGTERM');
    const took = Date.now() - since;
    this.servers[0] = await this.serve();
    await this.ready();
    this.driver.note('up', {});
    return { code: exit?.code ?? null, took };
  }

  /** Does something to Postgres that takes it away for a while. */
  async outage(happens: () => Promise<void>): Promise<void> {
    this.driver.note('down', {});
    await happens();
    await this.ready();
    this.driver.note('up', {});
  }

  /** Resolves when a server can be sent requests. */
  ready(url = this.urls[0]): Promise<true> {
    return until(async () => (await fetch(`${url}/health/ready`)).ok, { within: 60_000 });
  }

  call(method: string, path: string, body?: object, token = this.token): Promise<Answer> {
    return request(this.urls[0] ?? '', token, method, path, body);
  }

  /** One request, recorded as a client's. */
  async recorded(
    client: Recorder,
    what: What,
    facts: object,
    method: string,
    path: string,
    body?: object,
  ): Promise<Answer> {
    const call = client.sent(what, facts);
    const answer = await this.call(method, path, body);
    if (answer.status !== 0) client.answered(call, answer.status, { code: codeOf(answer) });
    return answer;
  }

  /** Registers an agent and starts its process. */
  async agent(id: string, more: Partial<AgentOptions> = {}): Promise<FleetAgent> {
    const registration = {
      id,
      type: TYPE,
      project_id: this.project,
      configuration: { max_concurrent_tasks: more.capacity ?? 4 },
    };
    const { body } = await this.call('POST', '/agents/register', registration, this.admin);
    const token = await this.tokenOf(body['credentials'] as Record<string, unknown>);
    const options = {
      urls: this.urls,
      id,
      type: TYPE,
      projectId: this.project,
      token,
      history: this.history,
      seed: this.seed + 1_000 * (this.agents.length + 1),
      capacity: 4,
      socket: false,
      crashes: 0,
      pauses: 0,
      failures: 0,
      workMs: 20,
      beatMs: this.leaseMs / 6,
      holds: false,
      ...more,
    };
    const agent = new FleetAgent(options, this.driver, this.leaseMs + 1_500);
    this.agents.push(agent);
    return agent;
  }

  /** Agents half over HTTP, half over sockets, when all have registered. */
  async fleet(size: number, more: Partial<AgentOptions> = {}): Promise<void> {
    for (let i = 0; i < size; i += 1) await this.agent(`agent-${i}`, { socket: i % 2 === 1, ...more });
    await until(() => this.agents.every((agent) => !agent.silent), { within: 60_000 });
  }

  /** A socket subscriber of everything from now on, which comes and goes. */
  async subscriber(): Promise<void> {
    const { body } = await this.call('GET', '/events?limit=1');
    if ((body['items'] as unknown[]).length > 0)
      throw new Error('a subscriber has to come before the first event');
    const options = {
      urls: this.urls,
      token: this.token,
      seed: this.seed + this.subscribers.length,
      history: this.history,
      client: `subscriber-${this.subscribers.length}`,
      after: body['next_cursor'],
    };
    const one = { child: startProcess('subscriber.process.mjs', options), last: '' };
    one.child.on('message', (message) => (one.last = String((message as { told: unknown }).told)));
    this.subscribers.push(one);
  }

  /** Creates tasks from four clients, each created until it is acknowledged, `ahead` of what is completed. */
  async load(count: number, ahead = 200): Promise<void> {
    const creators = Array.from({ length: CREATORS }, async (_, n) => {
      const client = new Recorder(this.history, `creator-${n}-${this.created}`);
      while (this.created < count && !this.stopped) {
        const task = `task-${(this.created += 1)}`;
        await until(() => this.created - this.completed < ahead || this.stopped, { within: 300_000 });
        const body = { id: task, type: TYPE, retry_policy: { max_attempts: 100 } };
        while (!this.stopped) {
          const { status } = await this.recorded(client, 'create', { task }, 'POST', '/tasks', body);
          if (status !== 0 && status !== 503) break;
          await delay(200);
        }
      }
    });
    await Promise.all(creators);
  }

  /**
   * Waits until everything is done and told, and judges.
   * @throws with what is left to do
   */
  async judge(within = 120_000): Promise<Verdict> {
    await until(
      async () => {
        const left = await this.left();
        if (left.length > 0) throw new Error(`not within ${within} ms: ${left.join('; ')}`);
        return true;
      },
      { within },
    );
    return this.judgeNow();
  }

  /** Judges what there is; for a system that cannot come to its end. */
  async judgeNow(): Promise<Verdict> {
    let log = await readLog(this.ask);
    for (let length = -1; length !== log.length; log = await readLog(this.ask)) {
      length = log.length;
      const last = log.at(-1)?.id;
      // Whoever is never told shows in the findings.
      await until(() => this.subscribers.every((one) => one.last === last), { within: 10_000 }).catch(
        () => {},
      );
    }
    await Promise.all(this.subscribers.map(({ child }) => killed(child)));
    const outcome = { log, tasks: await readTasks(this.ask) };
    const history = readHistory(this.history);
    return { history, outcome, findings: check(history, outcome, this.leaseMs) };
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.agents.map((agent) => agent.end()));
    await Promise.all(this.subscribers.map(({ child }) => killed(child)));
    await Promise.all(this.servers.map((server) => server.kill('SIGKILL')));
    await rm(this.history, { recursive: true, force: true });
  }

  /** What keeps the run from its end: some unfinished tasks, and the agents that are not there. */
  private async left(): Promise<string[]> {
    const silent = this.agents.filter((agent) => agent.silent && !agent.dead);
    return [...silent.map(({ id }) => `${id} is silent`), ...(await openTasks(this.ask))];
  }

  /** A token for the credentials of a client or an agent. */
  async tokenOf({
    client_id: id,
    client_secret: secret,
  }: Readonly<Record<string, unknown>>): Promise<string> {
    const credentials = { grant_type: 'client_credentials', client_id: id, client_secret: secret };
    const { status, body } = await this.call('POST', '/auth/token', credentials, '');
    if (status !== 200) throw new Error(`no token: ${JSON.stringify(body)}`);
    return String(body['access_token']);
  }
}

const CLOCK = new URL('clock.preload.mjs', `file://${process.cwd()}/test/chaos/`).href;
