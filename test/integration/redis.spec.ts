import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { ServerProcess, startServer } from '../support/processes.js';
import { describeRedis, RedisServer } from '../support/redis.js';
import { until } from '../support/wait-for.js';

const SECRET = 'a-secret-of-the-tests';
const RETRIES = 300;
/** How many tasks one report call names. */
const AT_ONCE = 100;

type Body = Readonly<Record<string, unknown>>;

describe('REDIS_URL', () => {
  const started: ServerProcess[] = [];
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((server) => server.kill('SIGKILL')));
  });
  afterAll(() => database.drop());

  const envFor = (redisUrl: string): Record<string, string> => ({
    DATABASE_URL: database.url,
    PARLEY_ADMIN_CLIENT_SECRET: SECRET,
    REDIS_URL: redisUrl,
    LOG_LEVEL: 'warn',
  });

  async function start(redisUrl: string): Promise<ServerProcess> {
    const server = await startServer({ env: envFor(redisUrl) });
    started.push(server);
    return server;
  }

  /** A server that is expected to give up; answers with what it said. */
  async function giveUp(redisUrl: string): Promise<{ code: number | null; lines: string[] }> {
    const server = new ServerProcess({ env: envFor(redisUrl) });
    started.push(server);
    const { code } = await server.exited;
    return { code, lines: server.output().trim().split('\n') };
  }

  it('that is no Redis URL stops the start with one line', async () => {
    const { code, lines } = await giveUp('127.0.0.1:6379');
    expect(code).toBe(1);
    expect(lines).toEqual([expect.stringMatching(/^REDIS_URL must be a URL such as redis:\/\//)]);
  });

  it('that nobody answers at is no obstacle: the server is ready, and says what it does without', async () => {
    const server = await start('redis://127.0.0.1:1');
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
    await until(() => server.output().includes('the job queue is away'));
    expect(await server.kill()).toEqual({ code: 0, signal: null });
  });

  describeRedis('with a Redis', () => {
    let redis: RedisServer;
    let api: Api;
    afterEach(() => redis.stop());

    it('that evicts stops the start with one line and its remedy', async () => {
      redis = await RedisServer.start('--maxmemory-policy', 'allkeys-lru');
      const { code, lines } = await giveUp(redis.url);
      expect(code).toBe(1);
      expect(lines).toEqual([expect.stringMatching(/^REDIS_URL .*allkeys-lru.* noeviction/)]);
    });

    it('that wants a password stops the start with one line, and is used with the right one', async () => {
      redis = await RedisServer.start('--requirepass', 'right');
      for (const url of [redis.url, redis.url.replace('//', '//:wrong@')]) {
        const { code, lines } = await giveUp(url);
        expect(code).toBe(1);
        expect(lines).toEqual([expect.stringMatching(/^REDIS_URL does not work: (NOAUTH|WRONGPASS)/)]);
      }
      const server = await start(redis.url.replace('//', '//:right@'));
      await until(() => isUsed(redis, 'AUTH right\r\n'));
      expect(server.output()).not.toContain('away');
    });

    it('A6: loses no retry, and is late with none, while Redis is killed and flushed', async () => {
      redis = await RedisServer.start();
      const server = await start(redis.url);
      api = await Api.of(server.url);
      await until(() => isUsed(redis));
      const due = await api.failOnce(RETRIES);
      expect(due.size).toBe(RETRIES);

      // Until the last retry is due, Redis is flushed and killed in turn, and the agent asks for work all the time.
      const claiming = api.claimAll(RETRIES);
      const lastDue = Math.max(...due.values());
      for (let round = 0; Date.now() < lastDue; round += 1) {
        if (round % 2 === 0) await redis.flush();
        else {
          await redis.kill();
          await delay(700);
          await redis.start();
        }
        await delay(300);
        expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
      }
      const again = await claiming;
      expect(new Set(again.keys())).toEqual(new Set(due.keys()));
      const late = [...again].map(([id, at]) => at - (due.get(id) ?? 0));
      expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...late)).toBeLessThanOrEqual(5_000);
      expect(api.statuses.filter((status) => status >= 500)).toEqual([]);
    });
  });
});

/** Do a server's jobs lie in it? */
async function isUsed(redis: RedisServer, before = ''): Promise<boolean> {
  return (await redis.command(`${before}CLIENT LIST`)).includes('parley-jobs');
}

/** Calls one server as its admin and as one agent, and keeps every status. */
class Api {
  readonly statuses: number[] = [];
  private agent = '';

  private constructor(
    private readonly url: string,
    private readonly admin: string,
  ) {}

  static async of(url: string): Promise<Api> {
    const token = await tokenOf(url, 'admin', SECRET);
    const api = new Api(url, token);
    const body = { id: 'retrier', type: 'retries', configuration: { max_concurrent_tasks: RETRIES } };
    const { credentials } = (await api.call('/agents/register', body, token)) as {
      credentials: { client_id: string; client_secret: string };
    };
    api.agent = await tokenOf(url, credentials.client_id, credentials.client_secret);
    return api;
  }

  /** Makes tasks and fails each once. @returns their ids, with the moment each retry is due */
  async failOnce(count: number): Promise<Map<string, number>> {
    const retry = { max_attempts: 3, backoff_strategy: 'fixed', initial_delay: 8, jitter: 'none' };
    const tasks = Array.from({ length: count }, () => ({ type: 'retries', retry_policy: retry }));
    await this.call('/tasks/batch', { tasks }, this.admin);
    const due = new Map<string, number>();
    while (due.size < count) {
      const items = await this.claim();
      const reports = items.map(({ id, attempt }) => ({
        task_id: id,
        status: 'failed',
        attempt,
        error: FAILURE,
      }));
      const answer = await this.call('/agents/retrier/reports', { reports }, this.agent);
      for (const { task } of answer['items'] as { task: Body }[]) {
        due.set(String(task['id']), Date.parse(String(task['next_attempt_at'])));
      }
    }
    return due;
  }

  /** Claims until it holds so many. @returns when each was assigned, by the database's clock */
  async claimAll(count: number): Promise<Map<string, number>> {
    const held = new Map<string, number>();
    const giveUpAt = Date.now() + 20_000;
    while (held.size < count && Date.now() < giveUpAt) {
      for (const item of await this.claim())
        held.set(String(item['id']), Date.parse(String(item['updated_at'])));
    }
    return held;
  }

  private async claim(): Promise<readonly Body[]> {
    const body = { max_tasks: AT_ONCE, wait_ms: 1_000 };
    return (await this.call('/agents/retrier/claim', body, this.agent))['items'] as Body[];
  }

  private async call(path: string, body: object, token: string): Promise<Body> {
    const answer = await fetch(`${this.url}/api/v1${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    this.statuses.push(answer.status);
    const told = (await answer.json()) as Body;
    if (!answer.ok) throw new Error(JSON.stringify(told));
    return told;
  }
}

const FAILURE = { code: 'NO_LUCK', message: 'no luck', retryable: true };

async function tokenOf(url: string, id: string, secret: string): Promise<string> {
  const answer = await fetch(`${url}/api/v1/auth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ grant_type: 'client_credentials', client_id: id, client_secret: secret }),
  });
  return ((await answer.json()) as { access_token: string }).access_token;
}
