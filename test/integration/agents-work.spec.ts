import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { io as connect } from 'socket.io-client';
import { AgentsApi, codeOf, idsOf, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { assertKnownEvents } from '../support/known-events.js';
import { until } from '../support/wait-for.js';

interface Item {
  readonly id: string;
  readonly attempt: number;
}

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

/** Posts tasks for an agent and has it claim them. */
async function given(agent: Member, count: number): Promise<string[]> {
  for (let i = 0; i < count; i += 1) await api.call('POST', '/tasks', { type: agent.type });
  const answer = await api.call('POST', `/agents/${agent.id}/claim`, { max_tasks: count }, agent.token);
  const items = answer.body['items'] as Item[];
  expect(items).toHaveLength(count);
  return items.map((item) => item.id);
}

const taskOf = async (id: string): Promise<Record<string, unknown>> =>
  (await api.call('GET', `/tasks/${id}`)).body;

describe('an agent that holds tasks', () => {
  it('is busy when it holds as much as it may, and makes no event of it', async () => {
    const agent = await api.member({ configuration: { max_concurrent_tasks: 2 } });
    const [first = ''] = await given(agent, 2);
    expect(await api.get(agent.id)).toMatchObject({ status: 'busy', current_tasks: 2 });
    const beat = await api.beat(agent.id, { status: 'active', current_tasks: 0 }, agent.token);
    expect(beat.body['status']).toBe('busy');
    expect(idsOf(await api.call('GET', `/agents?type=${agent.type}&status=busy`))).toEqual([agent.id]);
    expect(idsOf(await api.call('GET', `/agents?type=${agent.type}&status=active`))).toEqual([]);

    await api.call('PATCH', `/tasks/${first}`, { status: 'completed' }, agent.token);
    expect(await api.get(agent.id)).toMatchObject({ status: 'active', current_tasks: 1 });
    expect(await api.storyOf(agent.id)).toEqual([['agent.registered', null, 'active']]);
  });

  it('keeps, when it registers anew, what it names; the rest is offered again at once', async () => {
    const agent = await api.member();
    const [kept = '', lost = ''] = await given(agent, 2);
    const registration = { id: agent.id, type: agent.type, held_tasks: [kept] };
    const again = await api.register(registration, agent.token);
    expect(again.body).toMatchObject({ session_epoch: 2, current_tasks: 1 });
    expect(await taskOf(kept)).toMatchObject({ status: 'assigned', assigned_agent: agent.id, attempt: 1 });
    expect(await taskOf(lost)).toMatchObject({ status: 'queued', assigned_agent: null });
    const claim = await api.call('POST', `/agents/${agent.id}/claim`, { max_tasks: 5 }, agent.token);
    expect(claim.body['items']).toMatchObject([{ id: lost, attempt: 2 }]);
  });

  it('leaves nothing behind when it leaves', async () => {
    const agent = await api.member();
    const [task = ''] = await given(agent, 1);
    await api.call('DELETE', `/agents/${agent.id}`, undefined, agent.token);
    expect(await taskOf(task)).toMatchObject({ status: 'queued', assigned_agent: null });
  });

  it('is told by its heartbeat what it does not hold any more, and renews what it names', async () => {
    const agent = await api.member();
    const [cancelled = '', renewed = ''] = await given(agent, 2);
    const { lease_expires_at: lease } = await taskOf(renewed);
    await api.call('POST', `/tasks/${cancelled}/cancel`);
    const beat = await api.beat(agent.id, { task_ids: [cancelled, renewed, 'never-held'] }, agent.token);
    expect(beat.body['revoked_tasks']).toEqual([cancelled, 'never-held']);
    const after = await taskOf(renewed);
    expect(Date.parse(String(after['lease_expires_at']))).toBeGreaterThan(Date.parse(String(lease)));
  });

  it('gets no more while it is drained, and may finish what it holds', async () => {
    const agent = await api.member();
    const [task = ''] = await given(agent, 1);
    await api.call('POST', `/agents/${agent.id}/drain`);
    await api.call('POST', '/tasks', { type: agent.type });
    const claim = await api.call('POST', `/agents/${agent.id}/claim`, { max_tasks: 5 }, agent.token);
    expect([claim.status, claim.body['items']]).toEqual([200, []]);
    const done = await api.call('PATCH', `/tasks/${task}`, { status: 'completed' }, agent.token);
    expect(done.body['status']).toBe('completed');
  });
});

describe('an agent that registers anew while it claims', () => {
  it('holds nothing of an older session', async () => {
    const agent = await api.member({ configuration: { max_concurrent_tasks: 1000 } });
    for (let round = 1; round <= 10; round += 1) {
      await Promise.all(Array.from({ length: 20 }, () => api.call('POST', '/tasks', { type: agent.type })));
      const claims = Array.from({ length: 10 }, () =>
        api.call('POST', `/agents/${agent.id}/claim`, { max_tasks: 2 }, agent.token),
      );
      const again = api.register({ id: agent.id, type: agent.type }, agent.token);
      expect((await Promise.all([...claims, again])).map(({ status }) => status)).toEqual(
        Array.from({ length: 11 }, () => 200),
      );
      const stale = await api.query(
        `SELECT t.id FROM tasks t JOIN agents a ON a.id = t.assigned_agent AND a.project_id = t.agent_project
         WHERE a.id = $1 AND t.status IN ('assigned', 'in_progress') AND t.session_epoch < a.session_epoch`,
        [agent.id],
      );
      expect(stale).toEqual([]);
    }
  });
});

describe('an agent with a socket', () => {
  it('gives its signs of life over it', async () => {
    const agent = await api.member();
    const socket = connect(app.url, { path: '/ws', auth: { token: agent.token }, transports: ['websocket'] });
    try {
      const metrics = { cpu_usage: 1 };
      const answer: unknown = await socket.emitWithAck('heartbeat', { performance_metrics: metrics });
      expect(answer).toMatchObject({ ok: true, data: { agent_id: agent.id, status: 'active' } });
      expect((await api.get(agent.id))['performance_metrics']).toEqual(metrics);
      await api.register({ id: agent.id, type: agent.type }, agent.token);
      const stale: unknown = await socket.emitWithAck('heartbeat', { session_epoch: 1 });
      expect(stale).toMatchObject({ ok: false, error: { code: 'STALE_SESSION' } });
    } finally {
      socket.disconnect();
    }
  });
});

describe('claims and reports', () => {
  it('are an agent’s own calls, and bring it back from offline', async () => {
    const agent = await api.member();
    const statusOf = async (): Promise<unknown> => (await api.get(agent.id))['status'];
    await until(async () => (await statusOf()) === 'offline');
    const claim = await api.call('POST', `/agents/${agent.id}/claim`, { max_tasks: 1 }, agent.token);
    expect(claim.status).toBe(200);
    expect(await statusOf()).toBe('active');
  });

  it('of an older session are stale', async () => {
    const agent = await api.member();
    await api.register({ id: agent.id, type: agent.type }, agent.token);
    const body = { max_tasks: 1, session_epoch: 1 };
    const stale = await api.call('POST', `/agents/${agent.id}/claim`, body, agent.token);
    expect([stale.status, codeOf(stale)]).toEqual([409, 'STALE_SESSION']);
  });
});
