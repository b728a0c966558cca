import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { NoJobQueue } from '../../src/platform/job-queue/job-queue.off.js';
import { JobQueue } from '../../src/platform/job-queue/job-queue.port.js';
import { AgentsApi } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { until } from '../support/wait-for.js';

/** The health checks of many agents, one path each. */
class Clinic {
  status = 200;
  readonly asked = new Map<string, number[]>();
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, reply) => {
      const path = request.url ?? '';
      this.asked.set(path, [...this.timesOf(path), Date.now()]);
      if (path !== '/silent') reply.writeHead(this.status).end();
    });
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  urlOf(path: string): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${path}`;
  }

  timesOf(path: string): number[] {
    return this.asked.get(path) ?? [];
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

const clinic = new Clinic();
beforeAll(() => clinic.open());
afterAll(() => clinic.close());

describe('an agent with a health check that may be called', () => {
  let app: TestApp;
  let api: AgentsApi;

  beforeAll(async () => {
    app = await startApp({ env: { HEARTBEAT_INTERVAL: '1', EGRESS_ALLOW: '127.0.0.0/8' } });
    api = await AgentsApi.of(app);
  });
  afterAll(() => app.close());

  const healthOf = async (id: string): Promise<unknown[]> => {
    const agent = await api.get(id);
    return [agent['health'], agent['health_reason']];
  };
  const becomes = (id: string, ...expected: unknown[]): Promise<boolean> =>
    until(
      async () => {
        expect(await healthOf(id)).toEqual(expected);
        return true;
      },
      { within: 20_000 },
    );

  it('is healthy or not as it answers, and an event tells of each change', async () => {
    const { id, token } = await api.member({ health_check_url: clinic.urlOf('/patient') });
    expect(await healthOf(id)).toEqual(['unknown', null]);
    // Who is silent is asked less often.
    const beats = setInterval(() => void api.beat(id, {}, token).catch(() => {}), 300);
    const reason = 'its health check answered 503';
    try {
      await becomes(id, 'healthy', null);
      clinic.status = 503;
      await becomes(id, 'unhealthy', reason);
      clinic.status = 200;
      await becomes(id, 'healthy', null);
    } finally {
      clearInterval(beats);
    }
    const told = (await api.eventsOf(id)).filter(({ payload }) => 'health' in payload);
    expect(told.map(({ type, payload }) => [type, payload['changed'], payload['health']])).toEqual([
      ['agent.updated', ['health'], 'healthy'],
      ['agent.updated', ['health'], 'unhealthy'],
      ['agent.updated', ['health'], 'healthy'],
    ]);
    expect(told[1]?.payload).toMatchObject({ agent_id: id, health_reason: reason });
  });

  it('gets work all the same when it is not healthy', async () => {
    const url = clinic.urlOf('/gone').replace(/:\d+/, ':1');
    const agent = await api.member({ health_check_url: url });
    await until(async () => (await api.get(agent.id))['health'] === 'unhealthy');
    expect((await healthOf(agent.id))[1]).toBe('no answer (ECONNREFUSED)');
    await api.call('POST', '/tasks', { type: agent.type });
    const claim = await api.call('POST', `/agents/${agent.id}/claim`, { max_tasks: 1 }, agent.token);
    expect(claim.body['items']).toHaveLength(1);
  });

  it('is known no more when it names another URL, and asked no more when it names none', async () => {
    const { id, type, token } = await api.member({ health_check_url: clinic.urlOf('/before') });
    await until(async () => (await api.get(id))['health'] === 'healthy');
    const elsewhere = { health_check_url: clinic.urlOf('/silent') };
    expect((await api.call('PATCH', `/agents/${id}`, elsewhere)).body['health']).toBe('unknown');
    await until(() => clinic.timesOf('/silent').length > 0);
    const again = await api.register({ id, type }, token);
    expect(again.body).toMatchObject({ health: 'unknown', health_reason: null, health_check_url: null });
    expect(await api.query('SELECT probe_at FROM agents WHERE id = $1', [id])).toEqual([{ probe_at: null }]);
  });

  it('is asked once per interval, however many processes look after it', async () => {
    const options = { database: app.database, env: { HEARTBEAT_INTERVAL: '1', EGRESS_ALLOW: '127.0.0.0/8' } };
    const others = await Promise.all([1, 2].map(() => startApp(options)));
    try {
      const paths = Array.from({ length: 30 }, (_, i) => `/crowd-${i}`);
      const members = await Promise.all(
        paths.map((path) => api.member({ health_check_url: clinic.urlOf(path) })),
      );
      await until(
        async () => {
          // Who is silent is asked less often.
          await Promise.all(members.map(({ id, token }) => api.beat(id, {}, token)));
          return paths.every((path) => clinic.timesOf(path).length >= 4);
        },
        { within: 30_000 },
      );
      for (const path of paths) {
        // Three intervals of a second, jittered; asked by each process they would take one. One may come late.
        const [first = 0, , , fourth = 0] = clinic.timesOf(path);
        expect(fourth - first).toBeGreaterThan(1_500);
      }
    } finally {
      await Promise.all(others.map((other) => other.close()));
    }
  });

  it('does not hold up the end of a process that waits for its answer', async () => {
    const options = { env: { HEARTBEAT_INTERVAL: '1', EGRESS_ALLOW: '127.0.0.0/8' } };
    const brief = await startApp(options);
    const before = clinic.timesOf('/silent').length;
    await (await AgentsApi.of(brief)).member({ health_check_url: clinic.urlOf('/silent') });
    await until(() => clinic.timesOf('/silent').length > before);
    const start = performance.now();
    await brief.close();
    expect(performance.now() - start).toBeLessThan(5_000);
  });
});

describe('an agent with a health check, when BullMQ is switched off', () => {
  it('is asked all the same', async () => {
    const app = await startApp({
      env: { HEARTBEAT_INTERVAL: '1', EGRESS_ALLOW: '127.0.0.0/8' },
      override: (builder) => builder.overrideProvider(JobQueue).useClass(NoJobQueue),
    });
    try {
      const api = await AgentsApi.of(app);
      const { id } = await api.member({ health_check_url: clinic.urlOf('/jobless') });
      await until(async () => (await api.get(id))['health'] === 'healthy', { within: 15_000 });
    } finally {
      await app.close();
    }
  });
});

describe('a health check that points into this network', () => {
  it('is not called: the agent’s health stays unknown, and it is told why', async () => {
    const app = await startApp({ env: { HEARTBEAT_INTERVAL: '1' } });
    try {
      const api = await AgentsApi.of(app);
      const hosts = ['127.0.0.1', '2130706433', '0177.0.0.1', '0x7f.1', '[::ffff:127.0.0.1]', 'localhost'];
      const ids: string[] = [];
      for (const host of hosts) {
        const url = clinic.urlOf('/canary').replace('127.0.0.1', host);
        ids.push((await api.member({ health_check_url: url })).id);
      }
      for (const id of ids) {
        await until(async () => (await api.get(id))['health_reason'] !== null);
        expect(await api.get(id)).toMatchObject({
          health: 'unknown',
          health_reason: expect.stringContaining('EGRESS_ALLOW'),
        });
        expect(await api.eventsOf(id)).toHaveLength(1 + (await silences(api, id)));
      }
      expect(clinic.timesOf('/canary')).toEqual([]);
    } finally {
      await app.close();
    }
  });
});

/** It never calls, so it falls silent meanwhile. */
async function silences(api: AgentsApi, id: string): Promise<number> {
  return (await api.eventsOf(id)).filter(({ type }) => type === 'agent.status_changed').length;
}
