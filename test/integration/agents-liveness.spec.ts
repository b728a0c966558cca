import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentsApi, codeOf, idsOf } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { createDatabase } from '../support/database.js';
import { until } from '../support/wait-for.js';

const SEED_HEARTBEAT = {
  status: 'active',
  current_tasks: 3,
  performance_metrics: { cpu_usage: 45.2, memory_usage: 67.8, task_queue_size: 12 },
};

describe('a heartbeat', () => {
  let app: TestApp;
  let api: AgentsApi;

  beforeAll(async () => {
    app = await startApp();
    api = await AgentsApi.of(app);
  });
  afterAll(() => app.close());

  async function leaseOf(id: string): Promise<{ lease_until: string; lasts: boolean }> {
    const [lease] = await api.query<{ lease_until: string; lasts: boolean }>(
      'SELECT lease_until, lease_until > clock_timestamp() AS lasts FROM agents WHERE id = $1',
      [id],
    );
    if (lease === undefined) throw new Error('no such agent');
    return lease;
  }

  it('is accepted as the seed prints it; what it claims is shown, not believed', async () => {
    const { id, token } = await api.member();
    const before = await api.get(id);
    const answer = await api.beat(id, { ...SEED_HEARTBEAT, current_tasks: 99 }, token);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      agent_id: id,
      status: 'active',
      session_epoch: 1,
      lease_expires_at: expect.any(String),
      next_heartbeat_in: 30,
      revoked_tasks: [],
    });
    const after = await api.get(id);
    const [seen, lease] = [after['last_seen'], answer.body['lease_expires_at']].map((time) =>
      Date.parse(String(time)),
    );
    expect(Number(lease) - Number(seen)).toBe(90_000);
    expect(seen).toBeGreaterThan(Date.parse(String(before['last_seen'])));
    const { performance_metrics } = SEED_HEARTBEAT;
    expect(after).toEqual({ ...before, performance_metrics, last_seen: after['last_seen'] });
    await api.beat(id, { status: 'busy' }, token);
    expect(await api.get(id)).toMatchObject({ performance_metrics, status: 'active', current_tasks: 0 });
    expect(await api.eventsOf(id)).toHaveLength(1);
  });

  it('of many agents at once is one of each', async () => {
    const ids = Array.from({ length: 40 }, () => api.unique('crowd'));
    await Promise.all(ids.map((id) => api.register({ id, type: 'crowd' })));
    const calls = [...ids, ...ids, 'crowd-of-nobody'];
    const answers = await Promise.all(calls.map((id) => api.beat(id, { performance_metrics: { id } })));
    expect(answers.map(({ status }) => status)).toEqual([...ids.map(() => 200), ...ids.map(() => 200), 404]);
    const told = await Promise.all(ids.map(async (id) => (await api.get(id))['performance_metrics']));
    expect(told).toEqual(ids.map((id) => ({ id })));
  });

  it('is the agent’s own, or its operator’s', async () => {
    const { id } = await api.member({ project_id: 'proj-a' });
    const colleague = await api.client('proj-a', 'tasks:execute');
    const refused = await api.beat(id, {}, colleague);
    expect([refused.status, codeOf(refused)]).toEqual([403, 'FORBIDDEN']);
    expect((await api.beat(id, {}, await api.client('proj-a', 'agents:write'))).status).toBe(200);
  });

  it.each<[string, object, string]>([
    ['a status it cannot have', { status: 'offline' }, '/status'],
    ['metrics that are a list', { performance_metrics: [] }, '/performance_metrics'],
    ['less than no tasks', { current_tasks: -1 }, '/current_tasks'],
    ['a session that is no number', { session_epoch: '1' }, '/session_epoch'],
    ['an unknown field', { cpu: 1 }, '/cpu'],
  ])('is refused with %s', async (_, body, path) => {
    const answer = await api.beat('nobody', body, await api.client('*', 'agents:write'));
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ error: { details: { errors: [{ path }] } } });
  });

  it('does not end a drain; to be made active or to register anew does', async () => {
    const { id, type, token } = await api.member();
    expect((await api.call('POST', `/agents/${id}/drain`, undefined, token)).body['status']).toBe('draining');
    expect((await api.call('POST', `/agents/${id}/drain`, undefined, token)).status).toBe(200);
    expect((await api.beat(id, {}, token)).body['status']).toBe('draining');
    const resumed = await api.call('PATCH', `/agents/${id}`, { status: 'active' }, token);
    expect(resumed.body['status']).toBe('active');
    await api.call('POST', `/agents/${id}/drain`);
    expect((await api.register({ id, type }, token)).body['status']).toBe('active');
    expect(await api.storyOf(id)).toEqual([
      ['agent.registered', null, 'active'],
      ['agent.status_changed', 'active', 'draining'],
      ['agent.status_changed', 'draining', 'active'],
      ['agent.status_changed', 'active', 'draining'],
      ['agent.updated', 'draining', 'active'],
      ['agent.status_changed', 'draining', 'active'],
    ]);
  });

  it('is not missed while nobody could have taken it', async () => {
    const { id } = await api.member();
    const { last_seen: seen } = await api.get(id);
    const before = await leaseOf(id);
    // What a process finds that comes back to Postgres: no server has beaten for a time longer than the lease.
    await api.query(
      `WITH away AS (UPDATE agents SET lease_until = lease_until - interval '200 s' WHERE id = $1)
       UPDATE server_pulse SET beat_at = beat_at - interval '200 s'`,
      [id],
    );
    const after = await until(async () => {
      const lease = await leaseOf(id);
      return lease.lasts && lease;
    });
    const moved = Date.parse(after.lease_until) - Date.parse(before.lease_until);
    expect(Math.abs(moved)).toBeLessThan(5_000);
    expect(await api.get(id)).toMatchObject({ status: 'active', last_seen: seen });
    expect(await api.eventsOf(id)).toHaveLength(1);
  });

  it('touches no index while its agent is active', async () => {
    const database = await createDatabase();
    const fresh = await startApp({ database });
    const alone = await AgentsApi.of(fresh);
    const { id, token } = await alone.member();
    for (let i = 1; i <= 60; i += 1) {
      await alone.beat(id, { performance_metrics: { beat: i, text: 'x'.repeat(100) } }, token);
    }
    // Connections tell what they did when they end.
    await fresh.close();
    const reader = database.connection.pool(database.connection.serving('statistics'), 1);
    const updates = await until(async () => {
      const { rows } = await reader.query<{ all: number; hot: number }>(
        `SELECT n_tup_upd AS all, n_tup_hot_upd AS hot FROM pg_stat_user_tables WHERE relname = 'agents'`,
      );
      return rows.find((row) => row.all >= 60);
    });
    // A version goes to another page, and into the index, where its own is full while somebody still reads in it.
    expect(updates.hot).toBeGreaterThanOrEqual(updates.all - 3);
    await reader.end();
    await database.drop();
  });
});

describe('an agent that should call every second', () => {
  let app: TestApp;
  let api: AgentsApi;
  const statusOf = async (id: string): Promise<unknown> => (await api.get(id))['status'];

  beforeAll(async () => {
    app = await startApp({ env: { HEARTBEAT_INTERVAL: '1' } });
    api = await AgentsApi.of(app);
  });
  afterAll(() => app.close());

  it('is suspect, then offline, when it falls silent, and active again at its next own call', async () => {
    const { id, token } = await api.member();
    const { last_seen: seen } = await api.get(id);
    const suspect = await until(async () => (await statusOf(id)) === 'suspect' && (await api.get(id)));
    expect(suspect['last_seen']).toBe(seen);
    await until(async () => (await statusOf(id)) === 'offline');
    expect((await api.get(id))['last_seen']).toBe(seen);
    expect(idsOf(await api.call('GET', '/agents?status=offline'))).toContain(id);
    // What others do to it is no sign of life.
    await api.call('PATCH', `/agents/${id}`, { status: 'active' });
    expect(await statusOf(id)).toBe('offline');
    expect((await api.beat(id, {}, token)).body['status']).toBe('active');
    expect(await api.storyOf(id)).toEqual([
      ['agent.registered', null, 'active'],
      ['agent.status_changed', 'active', 'suspect'],
      ['agent.status_changed', 'suspect', 'offline'],
      ['agent.status_changed', 'offline', 'active'],
    ]);
    expect((await api.eventsOf(id)).map((event) => [event.seq, event.source_agent])).toEqual([
      [1, null],
      [2, null],
      [3, null],
      [4, id],
    ]);
  });

  it('stays active as long as it calls', async () => {
    const { id, token } = await api.member();
    const silent = await api.member();
    await until(async () => {
      await api.beat(id, {}, token);
      return (await statusOf(silent.id)) === 'offline';
    });
    expect(await statusOf(id)).toBe('active');
    expect(await api.eventsOf(id)).toHaveLength(1);
  });

  it('shows that it lives when its claim begins, not while or when that waits', async () => {
    const { id, token } = await api.member();
    const waiting = api.call('POST', `/agents/${id}/claim`, { wait_ms: 5_000 }, token);
    await until(async () => (await statusOf(id)) === 'offline');
    const { last_seen: seen } = await api.get(id);
    expect(await waiting).toMatchObject({ status: 200, body: { items: [] } });
    expect(await api.get(id)).toMatchObject({ status: 'offline', last_seen: seen });
  });

  it('may be looked after by many processes, and changes once', async () => {
    const others = await Promise.all(
      [1, 2].map(() => startApp({ database: app.database, env: { HEARTBEAT_INTERVAL: '1' } })),
    );
    try {
      const members = await Promise.all(Array.from({ length: 20 }, () => api.member()));
      for (const { id } of members) await until(async () => (await statusOf(id)) === 'offline');
      const stories = await Promise.all(members.map(({ id }) => api.storyOf(id)));
      expect(new Set(stories.map((story) => JSON.stringify(story.map(([type]) => type))))).toEqual(
        new Set(['["agent.registered","agent.status_changed","agent.status_changed"]']),
      );
    } finally {
      await Promise.all(others.map((other) => other.close()));
    }
  });
});
