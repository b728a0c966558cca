import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Answer, AgentsApi, codeOf, idsOf, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { assertKnownEvents } from '../support/known-events.js';
import { TestSocket } from '../support/sockets.js';
import { until } from '../support/wait-for.js';

let app: TestApp;
let api: AgentsApi;

beforeAll(async () => {
  app = await startApp({ env: { HEARTBEAT_INTERVAL: '2' } });
  api = await AgentsApi.of(app);
});
afterAll(async () => {
  await assertKnownEvents(app);
  await app.close();
});

interface Item {
  readonly id: string;
  readonly lease_token: string;
}

/** Posts tasks for an agent and has it claim them. */
async function given(agent: Member, count: number, more: object = {}): Promise<Item[]> {
  for (let i = 0; i < count; i += 1) await api.call('POST', '/tasks', { type: agent.type, ...more });
  const answer = await api.call('POST', `/agents/${agent.id}/claim`, { max_tasks: count }, agent.token);
  const items = answer.body['items'] as Item[];
  expect(items).toHaveLength(count);
  return items;
}

const revokedOf = (answer: Answer): unknown => answer.body['revoked_tasks'];

describe('a process of an agent that was removed, and registered again', () => {
  it('is of an older session, although its token lives', async () => {
    const former = await api.member();
    await api.register({ id: former.id, type: former.type }, former.token);
    expect((await api.beat(former.id, { session_epoch: 2 }, former.token)).status).toBe(200);
    expect((await api.call('DELETE', `/agents/${former.id}`)).status).toBe(204);
    const again = await api.register({ id: former.id, type: former.type });
    expect(again.status).toBe(201);
    expect(Number(again.body['session_epoch'])).toBeGreaterThan(2);
    const beat = await api.beat(former.id, { session_epoch: 2 }, former.token);
    expect([beat.status, codeOf(beat)]).toEqual([409, 'STALE_SESSION']);
  });
});

describe('a process of an older session', () => {
  let agent: Member;
  let kept: Item;

  beforeAll(async () => {
    agent = await api.member();
    [kept = { id: '', lease_token: '' }] = await given(agent, 1);
    await api.register({ id: agent.id, type: agent.type, held_tasks: [kept.id] }, agent.token);
  });

  it.each<[string, () => Promise<Answer>]>([
    ['a heartbeat', () => api.beat(agent.id, { session_epoch: 1 }, agent.token)],
    ['a claim', () => api.call('POST', `/agents/${agent.id}/claim`, { session_epoch: 1 }, agent.token)],
    [
      'a claim that would wait',
      () => api.call('POST', `/agents/${agent.id}/claim`, { session_epoch: 1, wait_ms: 20_000 }, agent.token),
    ],
    [
      'a report with the lease’s own token',
      () =>
        api.call(
          'PATCH',
          `/tasks/${kept.id}`,
          { status: 'completed', lease_token: kept.lease_token, session_epoch: 1 },
          agent.token,
        ),
    ],
    [
      'a report that starts the task',
      () => api.call('PATCH', `/tasks/${kept.id}`, { status: 'in_progress', session_epoch: 1 }, agent.token),
    ],
    [
      'many reports at once',
      () =>
        api.call(
          'POST',
          `/agents/${agent.id}/reports`,
          { reports: [{ task_id: kept.id, status: 'completed' }], session_epoch: 1 },
          agent.token,
        ),
    ],
  ])('is refused %s, and told which session there is', async (_, call) => {
    const answer = await call();
    expect([answer.status, codeOf(answer)]).toEqual([409, 'STALE_SESSION']);
    expect(answer.body).toMatchObject({ error: { details: { session_epoch: 2 } } });
    expect((await api.call('GET', `/tasks/${kept.id}`)).body['status']).toBe('assigned');
  });

  it('is refused each report that names it, and the others in the same call are judged alone', async () => {
    const reports = [
      { task_id: kept.id, status: 'in_progress', session_epoch: 1 },
      { task_id: kept.id, status: 'in_progress', progress: 5, session_epoch: 2 },
    ];
    const answer = await api.call('POST', `/agents/${agent.id}/reports`, { reports }, agent.token);
    expect(answer.body['items']).toMatchObject([
      { ok: false, error: { code: 'STALE_SESSION' } },
      { ok: true, task: { status: 'in_progress', progress: 5 } },
    ]);
  });

  it('is no sign of life of the present one', async () => {
    const { id, type, token } = await api.member();
    const { body } = await api.register({ id, type }, token);
    for (const waitMs of [0, 20_000]) {
      const stale = { session_epoch: 1, wait_ms: waitMs };
      expect(codeOf(await api.call('POST', `/agents/${id}/claim`, stale, token))).toBe('STALE_SESSION');
    }
    expect((await api.get(id))['last_seen']).toBe(body['last_seen']);
  });

  it('is refused over a socket too', async () => {
    const socket = await TestSocket.connect(app.url, { token: agent.token });
    try {
      const reply: unknown = await socket.socket.emitWithAck('heartbeat', { session_epoch: 1 });
      expect(reply).toMatchObject({ ok: false, error: { code: 'STALE_SESSION' } });
      const report = { task_id: kept.id, status: 'completed', session_epoch: 1 };
      const told: unknown = await socket.socket.emitWithAck('report', report);
      expect(told).toMatchObject({ ok: false, error: { code: 'STALE_SESSION' } });
    } finally {
      socket.socket.disconnect();
    }
  });

  it('does not keep the present one from finishing', async () => {
    const report = { status: 'completed', lease_token: kept.lease_token, session_epoch: 2 };
    const done = await api.call('PATCH', `/tasks/${kept.id}`, report, agent.token);
    expect([done.status, done.body['status']]).toEqual([200, 'completed']);
  });
});

describe('a heartbeat', () => {
  it('tells of tasks that were cancelled, though the agent names none', async () => {
    const agent = await api.member();
    const [gone, stays] = await given(agent, 2);
    expect(revokedOf(await api.beat(agent.id, {}, agent.token))).toEqual([]);
    await api.call('POST', `/tasks/${gone?.id}/cancel`);
    expect(revokedOf(await api.beat(agent.id, {}, agent.token))).toEqual([gone?.id]);
    // The first answer may not have arrived.
    const again = await api.beat(agent.id, { task_ids: [gone?.id, stays?.id] }, agent.token);
    expect(revokedOf(again)).toEqual([gone?.id]);
  });

  it('tells of tasks that were cancelled with their workflow', async () => {
    const agent = await api.member();
    const stages = [{ name: 'only', agent_type: agent.type }];
    const workflow = await api.call('POST', '/workflows', { name: 'w', stages });
    const items = await until(async () => {
      const claim = await api.call('POST', `/agents/${agent.id}/claim`, { max_tasks: 1 }, agent.token);
      const claimed = claim.body['items'] as Item[];
      return claimed.length > 0 && claimed;
    });
    const cancelled = await api.call('POST', `/workflows/${String(workflow.body['id'])}/cancel`);
    expect(cancelled.body['status']).toBe('cancelled');
    const ids = items.map(({ id }) => id);
    expect(revokedOf(await api.beat(agent.id, {}, agent.token))).toEqual(ids);
  });

  it('tells of a task whose time was up, also after a long silence, until the agent holds it again', async () => {
    const agent = await api.member();
    const [late] = await given(agent, 1, { timeout: 1, retry_policy: { initial_delay: 0 } });
    await until(async () => (await api.call('GET', `/tasks/${late?.id}`)).body['status'] === 'queued');
    // As if the agent had last called an hour ago, and lost the task right after that.
    await api.query(
      `UPDATE agents SET last_seen = last_seen - interval '1 h',
      session_began_at = session_began_at - interval '2 h' WHERE id = $1`,
      [agent.id],
    );
    await api.query(`UPDATE task_attempts SET ended_at = ended_at - interval '50 min' WHERE task_id = $1`, [
      late?.id,
    ]);
    expect(revokedOf(await api.beat(agent.id, {}, agent.token))).toEqual([late?.id]);
    expect(revokedOf(await api.beat(agent.id, {}, agent.token))).toEqual([]);
  });

  it('does not tell of a task that the agent was given again', async () => {
    const agent = await api.member();
    const [late] = await given(agent, 1, { timeout: 1, retry_policy: { initial_delay: 0 } });
    await until(async () => {
      const claim = await api.call('POST', `/agents/${agent.id}/claim`, { max_tasks: 1 }, agent.token);
      return idsOf(claim).includes(late?.id);
    });
    expect(revokedOf(await api.beat(agent.id, {}, agent.token))).toEqual([]);
  });

  it('does not tell a new session what the older one lost with it', async () => {
    const agent = await api.member();
    await given(agent, 2);
    await api.register({ id: agent.id, type: agent.type }, agent.token);
    expect(revokedOf(await api.beat(agent.id, {}, agent.token))).toEqual([]);
  });

  it('does not tell of what others lost', async () => {
    const [one, other] = [await api.member(), await api.member()];
    const [gone] = await given(one, 1);
    await api.call('POST', `/tasks/${gone?.id}/cancel`);
    const answers = await Promise.all([one, other].map(({ id, token }) => api.beat(id, {}, token)));
    expect(answers.map(revokedOf)).toEqual([[gone?.id], []]);
  });
});

describe('a draining agent', () => {
  it('finishes what runs, gets no more by claim or by push, and stays so until it is resumed', async () => {
    const agent = await api.member();
    const [running] = await given(agent, 1);
    await api.call('PATCH', `/tasks/${running?.id}`, { status: 'in_progress' }, agent.token);
    const socket = await TestSocket.connect(app.url, { token: agent.token });
    try {
      await socket.socket.emitWithAck('ready', { capacity: 5 });
      expect((await api.call('POST', `/agents/${agent.id}/drain`)).body['status']).toBe('draining');
      const { body: next } = await api.call('POST', '/tasks', { type: agent.type });
      const claim = { max_tasks: 5, wait_ms: 1_500 };
      const waited = await api.call('POST', `/agents/${agent.id}/claim`, claim, agent.token);
      expect(waited.body['items']).toEqual([]);
      expect((await api.beat(agent.id, { status: 'active' }, agent.token)).body['status']).toBe('draining');
      const report = { status: 'in_progress', progress: 50 };
      expect((await api.call('PATCH', `/tasks/${running?.id}`, report, agent.token)).status).toBe(200);
      const done = await api.call('PATCH', `/tasks/${running?.id}`, { status: 'completed' }, agent.token);
      expect(done.body['status']).toBe('completed');
      expect(await api.get(agent.id)).toMatchObject({ status: 'draining', current_tasks: 0 });
      expect(socket.events).toEqual([]);

      await api.call('PATCH', `/agents/${agent.id}`, { status: 'active' }, agent.token);
      await until(() => socket.events.some(({ payload }) => payload['task_id'] === next['id']));
    } finally {
      socket.socket.disconnect();
    }
  });
});

describe('agents by capability', () => {
  it('are those that have it, with every other filter', async () => {
    const capability = api.unique('skill');
    const one = await api.member({ capabilities: ['a', capability], project_id: 'proj-a' });
    const other = await api.member({ capabilities: [capability], project_id: 'proj-b' });
    await api.member({ capabilities: [`${capability}-not`], project_id: 'proj-a' });
    const list = async (query: string, token?: string): Promise<unknown[]> =>
      idsOf(await api.call('GET', `/agents?${query}`, undefined, token));
    expect(await list(`capability=${capability}`)).toEqual([other.id, one.id]);
    expect(await list(`capability=${capability}&type=${one.type}`)).toEqual([one.id]);
    expect(await list(`capability=${capability}`, one.token)).toEqual([one.id]);
    expect(await list(`capability=${capability}&type=${other.type}`, one.token)).toEqual([]);
    expect(await list(`type=${one.type}`, one.token)).toEqual([one.id]);
    const page = await api.call('GET', `/agents?capability=${capability}&limit=1`);
    expect(idsOf(page)).toEqual([other.id]);
    const cursor = String(page.body['next_cursor']);
    expect(await list(`capability=${capability}&limit=1&cursor=${cursor}`)).toEqual([one.id]);
  });

  it('are found by index among many', async () => {
    await api.query(
      `INSERT INTO agents (id, project_id, type, capabilities, capacity, liveness, session_epoch, session_began_at,
         last_seen, lease_until, webhook_secret, seq, created_at, updated_at)
       SELECT 'many-' || n, 'proj-many', 'many', ARRAY['common', 'c' || n], 1, 'offline', 1, now(), now(), now(), '', 0, now(), now()
       FROM generate_series(1, 20000) n`,
    );
    await api.query('ANALYZE agents');
    const found = await api.call('GET', '/agents?capability=c777&project_id=proj-many');
    expect(idsOf(found)).toEqual(['many-777']);
    const plan = await api.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN SELECT a.id FROM agents a WHERE a.project_id = 'proj-many' AND a.capabilities @> ARRAY['c777'::text]
       ORDER BY a.created_at DESC, a.id DESC LIMIT 51`,
    );
    expect(plan.map((row) => row['QUERY PLAN']).join('\n')).toContain('agents_by_capability');
    await api.query(`DELETE FROM agents WHERE project_id = 'proj-many'`);
  });
});
