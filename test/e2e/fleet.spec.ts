import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startAgent, type AgentOptions, type AgentProcess } from '../support/agents.js';
import { freePort } from '../support/free-port.js';
import { startServer, type ServerProcess } from '../support/processes.js';
import { until } from '../support/wait-for.js';

interface Json {
  readonly [field: string]: unknown;
}

const LEASE_SECONDS = 3;

describe('a fleet of real processes', () => {
  let dataDir: string;
  let env: Record<string, string>;
  let server: ServerProcess;
  let admin: string;
  const agents: AgentProcess[] = [];

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'parley-fleet-'));
    env = {
      PORT: String(await freePort()),
      HEARTBEAT_INTERVAL: String(LEASE_SECONDS / 3),
      LOG_LEVEL: 'warn',
    };
    server = await startServer({ dataDir, env });
    const { client_id: id, client_secret: secret } = JSON.parse(
      await readFile(join(dataDir, 'admin.json'), 'utf8'),
    ) as Record<string, string>;
    admin = await tokenOf(String(id), String(secret));
  });
  afterEach(async () => {
    await Promise.all(agents.splice(0).map((one) => one.end()));
  });
  afterAll(async () => {
    await server.kill('SIGTERM');
    await server.exited;
    await rm(dataDir, { recursive: true, force: true });
  });

  async function api(method: string, path: string, body?: object): Promise<Json> {
    const answer = await fetch(`${server.url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await answer.json()) as Json;
  }

  async function tokenOf(clientId: string, secret: string): Promise<string> {
    const answer = await fetch(`${server.url}/api/v1/auth/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ grant_type: 'client_credentials', client_id: clientId, client_secret: secret }),
    });
    return String(((await answer.json()) as Json)['access_token']);
  }

  async function agent(id: string, type: string, more: Partial<AgentOptions> = {}): Promise<AgentProcess> {
    const registered = await api('POST', '/agents/register', {
      id,
      type,
      configuration: { max_concurrent_tasks: 10 },
    });
    const { client_id: clientId, client_secret: secret } = registered['credentials'] as Record<
      string,
      string
    >;
    const started = startAgent({
      url: server.url,
      id,
      token: await tokenOf(String(clientId), String(secret)),
      ...more,
    });
    agents.push(started);
    return started;
  }

  it('offers the task of a killed agent again within its lease and a second', async () => {
    const victim = await agent('victim', 'kill', { hold: true, maxTasks: 1 });
    const { id } = await api('POST', '/tasks', { type: 'kill' });
    await until(() => victim.lines.some((line) => line.started === id));
    victim.signal('SIGKILL');
    const killedAt = Date.now();
    const heir = await agent('heir', 'kill');
    await until(() => heir.lines.some((line) => line.reported === id), { within: 20_000 });
    const { events } = (await api('GET', `/tasks/${String(id)}/history`)) as {
      events: { event_type: string; timestamp: string }[];
    };
    const offered = events.find((event) => event.event_type === 'task.retrying');
    const waited = Date.parse(String(offered?.timestamp)) - killedAt;
    // A second beyond the lease is the promise; both clocks are this machine's.
    expect(waited).toBeLessThanOrEqual((LEASE_SECONDS + 1) * 1000);
    expect(await api('GET', `/tasks/${String(id)}`)).toMatchObject({
      status: 'completed',
      attempt: 2,
      assigned_agent: 'heir',
    });
  });

  it('tells a frozen agent that comes back that its lease is stale, and takes nothing from it', async () => {
    const frozen = await agent('frozen', 'freeze', { hold: true, maxTasks: 1 });
    const { id } = await api('POST', '/tasks', { type: 'freeze' });
    await until(() => frozen.lines.some((line) => line.started === id));
    frozen.signal('SIGSTOP');
    const heir = await agent('thaw', 'freeze');
    await until(() => heir.lines.some((line) => line.reported === id), { within: 20_000 });
    frozen.signal('SIGCONT');
    frozen.signal('SIGUSR1');
    await until(() => frozen.lines.some((line) => line.reported === id));
    expect(frozen.lines.find((line) => line.reported === id)).toMatchObject({
      status: 409,
      code: 'STALE_LEASE',
    });
    expect(await api('GET', `/tasks/${String(id)}`)).toMatchObject({
      assigned_agent: 'thaw',
      output_data: { by: 'thaw' },
    });
  });

  it('completes 300 tasks exactly once through three kill -9 of the server', async () => {
    const fleet = await Promise.all([1, 2, 3, 4].map((n) => agent(`worker-${n}`, 'fleet', { workMs: 20 })));
    const ids = Array.from({ length: 300 }, (_, i) => `fleet-${i}`);
    await api('POST', '/tasks/batch', {
      tasks: ids.map((id) => ({ id, type: 'fleet', retry_policy: { max_attempts: 20 } })),
    });
    const reported = (): number =>
      fleet.flatMap((one) => one.lines).filter((line) => line.status === 200 && line.reported).length;
    for (const share of [60, 140, 220]) {
      await until(() => reported() >= share, { within: 30_000 });
      await server.kill('SIGKILL');
      await server.exited;
      server = await startServer({ dataDir, env });
    }
    const completed = async (): Promise<Json[]> => {
      const first = (await api('GET', '/tasks?type=fleet&status=completed&limit=200')) as {
        items: Json[];
        next_cursor: string | null;
      };
      if (first.next_cursor === null) return first.items;
      const more = (await api(
        'GET',
        `/tasks?type=fleet&status=completed&limit=200&cursor=${first.next_cursor}`,
      )) as { items: Json[] };
      return [...first.items, ...more.items];
    };
    await until(async () => (await completed()).length === 300, { within: 60_000 });
    const histories = await Promise.all(ids.map((id) => api('GET', `/tasks/${id}/history`)));
    const completions = histories.map(
      ({ events }) => (events as Json[]).filter((event) => event['event_type'] === 'task.completed').length,
    );
    expect(completions.filter((count) => count !== 1)).toEqual([]);
    for (const { events } of histories) {
      expect((events as Json[]).map((event) => event['seq'])).toEqual(
        (events as Json[]).map((_, i) => i + 1),
      );
    }
  }, 180_000);
});
