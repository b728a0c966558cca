import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentsApi } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { assertKnownEvents } from '../support/known-events.js';
import { TestSocket } from '../support/sockets.js';
import { until } from '../support/wait-for.js';

interface Alert {
  readonly project_id: string;
  readonly topic: string;
  readonly payload: { readonly message: string; readonly details: Readonly<Record<string, unknown>> };
}

let app: TestApp;
let api: AgentsApi;

beforeAll(async () => {
  app = await startApp({ env: { HEARTBEAT_INTERVAL: '1' } });
  api = await AgentsApi.of(app);
});
afterAll(async () => {
  await assertKnownEvents(app);
  await app.close();
});

const alertsFor = (type: string): Promise<Alert[]> =>
  api.query<Alert>(
    `SELECT project_id, topic, payload FROM events WHERE type = 'system.alert' AND payload->'details'->>'agent_type' = $1
     ORDER BY pos`,
    [type],
  );

/** Resolves when the looks that were due at this moment are over: another type's alert has come, which was due later. */
async function allLooked(): Promise<void> {
  const later = api.unique('later');
  await api.call('POST', '/tasks', { type: later });
  await until(async () => (await alertsFor(later)).length === 1, { within: 30_000 });
}

describe('work that nobody alive can do', () => {
  it('is told once, with what waits, since when, and who was seen last', async () => {
    const type = api.unique('orphan');
    const gone = await api.member({ type });
    const watcher = await TestSocket.connect(app.url, { token: await api.client('*', 'events:read') });
    await watcher.socket.emitWithAck('subscribe', { topics: ['system.alert'] });
    await until(async () => (await api.get(gone.id))['status'] === 'offline');
    const before = Date.now();
    for (let i = 0; i < 3; i += 1) await api.call('POST', '/tasks', { type, project_id: 'proj-a' });
    const [alert] = await until(
      async () => {
        const alerts = await alertsFor(type);
        return alerts.length > 0 && alerts;
      },
      { within: 20_000 },
    );
    expect(alert).toEqual({
      project_id: 'proj-a',
      topic: 'system.alerts',
      payload: {
        severity: 'warning',
        message: `3 tasks wait for an agent of type '${type}', and none is alive. Start one, or cancel what waits.`,
        details: {
          reason: 'no_live_agent',
          agent_type: type,
          queued: 3,
          since: expect.any(String),
          last_agent: {
            id: gone.id,
            status: 'offline',
            last_seen: (await api.get(gone.id))['last_seen'],
          },
        },
      },
    });
    expect(Date.parse(String(alert?.payload.details['since']))).toBeGreaterThanOrEqual(before - 1_000);
    await until(() => watcher.events.some(({ payload }) => JSON.stringify(payload).includes(`"${type}"`)));
    expect(watcher.events.every((event) => event.event_type === 'system.alert')).toBe(true);
    watcher.socket.disconnect();

    await allLooked();
    expect(await alertsFor(type)).toHaveLength(1);
  });

  it('is told again when it happens again', async () => {
    const type = api.unique('relapse');
    const { body: task } = await api.call('POST', '/tasks', { type });
    await until(async () => (await alertsFor(type)).length === 1, { within: 20_000 });
    expect((await alertsFor(type))[0]?.payload.details['last_agent']).toBeNull();
    await api.call('POST', `/tasks/${String(task['id'])}/cancel`);
    await allLooked();
    await api.call('POST', '/tasks', { type });
    await until(async () => (await alertsFor(type)).length === 2, { within: 20_000 });
  });

  it('is told once by many processes', async () => {
    const options = { database: app.database, env: { HEARTBEAT_INTERVAL: '1' } };
    const others = await Promise.all([1, 2].map(() => startApp(options)));
    try {
      const types = Array.from({ length: 20 }, () => api.unique('shared'));
      for (const type of types) await api.call('POST', '/tasks', { type });
      for (const type of types)
        await until(async () => (await alertsFor(type)).length > 0, { within: 20_000 });
      await allLooked();
      const counts = await Promise.all(types.map(async (type) => (await alertsFor(type)).length));
      expect(counts).toEqual(types.map(() => 1));
    } finally {
      await Promise.all(others.map((other) => other.close()));
    }
  });

  it('is not told of what somebody alive can do, or what is not due', async () => {
    const served = await api.member();
    const named = await api.member();
    const later = api.unique('later');
    const keepAlive = async (): Promise<void> => {
      await Promise.all([served, named].map(({ id, token }) => api.beat(id, {}, token)));
    };
    const beats = setInterval(() => void keepAlive(), 300);
    try {
      const other = api.unique('other');
      await api.call('POST', '/tasks', { type: served.type, project_id: 'proj-b' });
      await api.call('POST', '/tasks', { type: other, assigned_agent: named.id });
      await api.call('POST', '/tasks', { type: later, not_before: '2100-01-01T00:00:00Z' });
      await allLooked();
      for (const type of [served.type, other, later]) expect(await alertsFor(type)).toEqual([]);
    } finally {
      clearInterval(beats);
    }
  });

  it('is told when those who are left are draining', async () => {
    const { id, type, token } = await api.member();
    const beats = setInterval(() => void api.beat(id, {}, token), 300);
    try {
      await api.call('POST', `/agents/${id}/drain`);
      await api.call('POST', '/tasks', { type });
      const [alert] = await until(
        async () => {
          const alerts = await alertsFor(type);
          return alerts.length > 0 && alerts;
        },
        { within: 20_000 },
      );
      expect(alert?.payload.details['last_agent']).toMatchObject({ id, status: 'draining' });
    } finally {
      clearInterval(beats);
    }
  });
});
