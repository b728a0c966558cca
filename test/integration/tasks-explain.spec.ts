import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentsApi, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { until } from '../support/wait-for.js';

type Explained = Readonly<Record<string, unknown>>;

let app: TestApp;
let api: AgentsApi;

beforeAll(async () => {
  app = await startApp();
  api = await AgentsApi.of(app);
});
afterAll(() => app.close());

async function post(body: object): Promise<string> {
  const { status, body: task } = await api.call('POST', '/tasks', body);
  if (status !== 201) throw new Error(JSON.stringify(task));
  return String(task['id']);
}

async function explain(id: string): Promise<Explained> {
  const answer = await api.call('GET', `/tasks/${id}/explain`);
  expect(answer.status).toBe(200);
  return answer.body;
}

async function claim(agent: Member, max = 1): Promise<string[]> {
  const answer = await api.call('POST', `/agents/${agent.id}/claim`, { max_tasks: max }, agent.token);
  return (answer.body['items'] as { id: string }[]).map(({ id }) => id);
}

const report = (agent: Member, id: string, body: object): Promise<unknown> =>
  api.call('PATCH', `/tasks/${id}`, body, agent.token);

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/);

/** Each case brings a task into a state and says what is to be told of it. */
const CASES: [name: string, given: () => Promise<string>, told: (id: string) => Explained][] = [
  [
    'dependency: which, and in what state',
    async () => {
      const first = await post({ id: api.unique('first'), type: 'nobodys' });
      const done = await api.member();
      const second = await post({ type: done.type });
      await claim(done);
      await report(done, second, { status: 'completed' });
      return post({ type: done.type, dependencies: [first, second] });
    },
    () => ({
      status: 'blocked',
      rule: 'dependency',
      since: time,
      details: {
        dependencies: [{ task_id: expect.stringMatching(/^first-/), status: 'queued', since: time }],
        on_dependency_failure: 'fail',
      },
    }),
  ],
  [
    'workflow_paused: which, and since when',
    async () => {
      const agent = await api.member();
      const workflow = await api.call('POST', '/workflows', {
        name: 'paused',
        stages: [{ name: 'only', agent_type: agent.type }],
      });
      const id = String(workflow.body['id']);
      await api.call('POST', `/workflows/${id}/pause`);
      const { body } = await api.call('GET', `/tasks?parent_workflow_id=${id}`);
      return (body['items'] as { id: string }[])[0]?.id ?? '';
    },
    () => ({
      status: 'queued',
      rule: 'workflow_paused',
      since: time,
      details: { workflow_id: expect.any(String) },
    }),
  ],
  [
    'not_before: until when',
    async () => post({ type: (await api.member()).type, not_before: '2099-01-01T00:00:00Z' }),
    () => ({
      status: 'queued',
      rule: 'not_before',
      until: '2099-01-01T00:00:00.000Z',
      details: { not_before: '2099-01-01T00:00:00.000Z' },
    }),
  ],
  [
    'backoff: after which error, until when',
    async () => {
      const agent = await api.member();
      const retry = { initial_delay: 600, max_delay: 600, jitter: 'none', max_attempts: 4 };
      const id = await post({ type: agent.type, retry_policy: retry });
      await claim(agent);
      await report(agent, id, { status: 'failed', error: { code: 'BROKEN', message: 'it broke' } });
      return id;
    },
    () => ({
      status: 'queued',
      rule: 'backoff',
      until: time,
      details: { attempt: 1, attempts_left: 3, next_attempt_at: time, error: { code: 'BROKEN', attempt: 1 } },
    }),
  ],
  [
    'no_live_agent: nobody of the type ever came',
    () => post({ type: api.unique('never') }),
    () => ({
      rule: 'no_live_agent',
      since: time,
      details: { state: 'unknown', last_agent: null, last_seen: null },
    }),
  ],
  [
    'no_live_agent: the last one is draining',
    async () => {
      const agent = await api.member();
      await api.call('POST', `/agents/${agent.id}/drain`);
      return post({ type: agent.type });
    },
    () => ({
      rule: 'no_live_agent',
      details: { state: 'draining', last_agent: expect.stringMatching(/^member-/), last_seen: time },
    }),
  ],
  [
    'no_live_agent: the last one is offline',
    async () => {
      const agent = await api.member();
      await api.query(`UPDATE agents SET liveness = 'offline' WHERE id = $1`, [agent.id]);
      return post({ type: agent.type });
    },
    () => ({ rule: 'no_live_agent', since: time, details: { state: 'offline', last_seen: time } }),
  ],
  [
    'assigned_agent_away: unknown',
    () => post({ type: 'x', assigned_agent: 'agent-nobody', on_agent_unavailable: 'queue' }),
    () => ({ rule: 'assigned_agent_away', details: { agent_id: 'agent-nobody', state: 'unknown' } }),
  ],
  [
    'assigned_agent_away: offline, though others of its type are there',
    async () => {
      const agent = await api.member();
      await api.member({ type: agent.type });
      const id = await post({ type: agent.type, assigned_agent: agent.id });
      await api.query(`UPDATE agents SET liveness = 'offline' WHERE id = $1`, [agent.id]);
      return id;
    },
    () => ({ rule: 'assigned_agent_away', since: time, details: { state: 'offline', last_seen: time } }),
  ],
  [
    'capability: which is missing, and who comes nearest',
    async () => {
      const agent = await api.member({ capabilities: ['rust'] });
      return post({ type: agent.type, required_capabilities: ['rust', 'cuda'] });
    },
    () => ({
      rule: 'capability',
      details: {
        required_capabilities: ['rust', 'cuda'],
        agents: [{ agent_id: expect.any(String), missing: ['cuda'] }],
      },
    }),
  ],
  [
    'capability: the agent it names lacks it',
    async () => {
      const agent = await api.member();
      return post({ type: agent.type, assigned_agent: agent.id, required_capabilities: ['cuda'] });
    },
    () => ({ rule: 'capability', details: { agents: [{ missing: ['cuda'] }] } }),
  ],
  [
    'capacity: who is full, since when',
    async () => {
      const agent = await api.member({ configuration: { max_concurrent_tasks: 1 } });
      await post({ type: agent.type });
      await claim(agent);
      return post({ type: agent.type });
    },
    () => ({
      rule: 'capacity',
      since: time,
      details: { agents: [{ agent_id: expect.any(String), held: 1, capacity: 1 }], first_times_out_at: time },
    }),
  ],
  [
    'behind_others: how many, and which first',
    async () => {
      const agent = await api.member({ capabilities: ['extra'] });
      await post({ type: agent.type, id: api.unique('ahead') });
      await post({ type: agent.type, required_capabilities: ['extra'] });
      const id = await post({ type: agent.type });
      await post({ type: agent.type });
      return id;
    },
    () => ({
      rule: 'behind_others',
      details: { ahead: 2, first: [expect.stringMatching(/^ahead-/), expect.any(String)] },
    }),
  ],
  [
    'unclaimed: it is next, and nobody has asked',
    async () => post({ type: (await api.member()).type }),
    () => ({ status: 'queued', rule: 'unclaimed', since: time, details: { ahead: 0 } }),
  ],
  [
    'running: given out',
    async () => {
      const agent = await api.member();
      const id = await post({ type: agent.type });
      await claim(agent);
      return id;
    },
    () => ({
      status: 'assigned',
      rule: 'running',
      since: time,
      until: time,
      details: { attempt: 1, started: false, lease_expires_at: time },
    }),
  ],
  [
    'running: in progress',
    async () => {
      const agent = await api.member();
      const id = await post({ type: agent.type });
      await claim(agent);
      await report(agent, id, { status: 'in_progress', progress: 40 });
      return id;
    },
    () => ({ status: 'in_progress', rule: 'running', details: { started: true, progress: 40 } }),
  ],
  [
    'ended: failed, why',
    async () => {
      const agent = await api.member();
      const id = await post({ type: agent.type, retry_policy: { non_retryable_errors: ['BAD_INPUT'] } });
      await claim(agent);
      await report(agent, id, { status: 'failed', error: { code: 'BAD_INPUT', message: 'no' } });
      return id;
    },
    () => ({
      status: 'failed',
      rule: 'ended',
      since: time,
      details: { error: { code: 'BAD_INPUT', attempt: 1 } },
    }),
  ],
  [
    'ended: cancelled',
    async () => {
      const id = await post({ type: 'x' });
      await api.call('POST', `/tasks/${id}/cancel`);
      return id;
    },
    () => ({ status: 'cancelled', rule: 'ended' }),
  ],
];

describe('GET /tasks/{id}/explain', () => {
  it.each(CASES)('%s', async (_name, given, told) => {
    const id = await given();
    expect(await explain(id)).toMatchObject({ task_id: id, ...told(id) });
  });

  it('says something to people in every case', async () => {
    const { message, remedy } = await explain(await post({ type: 'nobodys' }));
    expect(message).toContain('nobodys');
    expect(remedy).toContain('nobodys');
  });

  it('follows a task from rule to rule', async () => {
    const agent = await api.member({ configuration: { max_concurrent_tasks: 1 } });
    const rules: unknown[] = [];
    const look = async (id: string): Promise<void> => void rules.push((await explain(id))['rule']);
    const first = await post({ type: agent.type });
    const id = await post({ type: agent.type, dependencies: [first] });
    await look(id);
    await claim(agent);
    await report(agent, first, { status: 'completed' });
    await until(async () => (await api.call('GET', `/tasks/${id}`)).body['status'] === 'queued');
    await look(id);
    const other = await post({ type: agent.type, priority: 'critical' });
    await look(id);
    await claim(agent);
    await look(id);
    await report(agent, other, { status: 'completed' });
    await claim(agent);
    await look(id);
    await report(agent, id, { status: 'completed' });
    await look(id);
    expect(rules).toEqual(['dependency', 'unclaimed', 'behind_others', 'capacity', 'running', 'ended']);
  });

  it('knows no task of another project', async () => {
    const id = await post({ type: 'x' });
    const token = await api.client('elsewhere', 'tasks:read');
    expect((await api.call('GET', `/tasks/${id}/explain`, undefined, token)).status).toBe(404);
  });
});
