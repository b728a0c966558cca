import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentsApi, codeOf, type Answer, type Member } from '../support/agents-api.js';
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
  app = await startApp();
  api = await AgentsApi.of(app);
});
afterAll(async () => {
  await assertKnownEvents(app);
  await app.close();
});

async function post(body: object): Promise<string> {
  const answer = await api.call('POST', '/tasks', body);
  expect(answer.status).toBe(201);
  return String(answer.body['id']);
}

async function claim(agent: Member, waitMs = 0): Promise<Item[]> {
  const body = { max_tasks: 10, wait_ms: waitMs };
  const answer = await api.call('POST', `/agents/${agent.id}/claim`, body, agent.token);
  return answer.body['items'] as Item[];
}

const report = (agent: Member, id: string, body: object): Promise<Answer> =>
  api.call('PATCH', `/tasks/${id}`, body, agent.token);
const get = async (id: string): Promise<Answer['body']> => (await api.call('GET', `/tasks/${id}`)).body;
const result = (id: string, waitMs = 0): Promise<Answer> =>
  api.call('GET', `/tasks/${id}/result?wait_ms=${waitMs}`);

describe('the result of a task', () => {
  it('is awaited: 202 while it runs, 200 as soon as it is there', async () => {
    const agent = await api.member();
    const id = await post({ type: agent.type });
    expect(await result(id)).toMatchObject({ status: 202, body: { task_id: id, status: 'queued' } });
    await claim(agent);
    expect(await result(id, 50)).toMatchObject({ status: 202, body: { status: 'assigned' } });
    const waiting = result(id, 20_000);
    await report(agent, id, { status: 'completed', output_data: { answer: 42 } });
    expect(await waiting).toMatchObject({
      status: 200,
      body: { task_id: id, status: 'completed', output_data: { answer: 42 } },
    });
  });

  it('is a conflict where it failed or was cancelled, with the task’s own error', async () => {
    const agent = await api.member();
    const failed = await post({ type: agent.type, retry_policy: { max_attempts: 1 } });
    await claim(agent);
    await report(agent, failed, { status: 'failed', error: { code: 'BROKEN', message: 'it broke' } });
    const answer = await result(failed);
    expect([answer.status, codeOf(answer)]).toEqual([409, 'TASK_FAILED']);
    expect(answer.body).toMatchObject({ error: { details: { error: { code: 'BROKEN' } } } });
    const cancelled = await post({ type: 'x' });
    await api.call('POST', `/tasks/${cancelled}/cancel`);
    const other = await result(cancelled);
    expect([other.status, codeOf(other)]).toEqual([409, 'TASK_CANCELLED']);
  });
});

describe('a task that is handed back', () => {
  it('is offered again at once, its attempt refunded, and keeps the error of an earlier one', async () => {
    const agent = await api.member();
    const policy = { max_attempts: 2, initial_delay: 0 };
    const id = await post({ type: agent.type, retry_policy: policy });
    await claim(agent);
    await report(agent, id, { status: 'failed', error: { code: 'FIRST', message: 'no' } });
    const second = await claim(agent, 5_000);
    expect(second).toMatchObject([{ id, attempt: 2 }]);
    const back = await report(agent, id, { status: 'queued', attempt: 2 });
    expect(back).toMatchObject({
      status: 200,
      body: { status: 'queued', assigned_agent: null, error: { code: 'FIRST', attempt: 1 } },
    });
    const again = await report(agent, id, { status: 'queued', attempt: 2 });
    expect(again).toMatchObject({ status: 200, body: back.body });
    // The second of two attempts was refunded, so a third may be claimed, and fail, before the task has failed.
    expect(await claim(agent, 5_000)).toMatchObject([{ id, attempt: 3 }]);
    await report(agent, id, { status: 'failed', error: { code: 'LAST', message: 'no' } });
    expect(await get(id)).toMatchObject({ status: 'failed', error: { code: 'LAST', attempt: 3 } });
    const { body } = await api.call('GET', `/tasks/${id}/history`);
    expect(body['attempts']).toMatchObject([
      { attempt: 1, outcome: 'failed', error: { code: 'FIRST' } },
      { attempt: 2, outcome: 'handed_back', error: null },
      { attempt: 3, outcome: 'failed', error: { code: 'LAST' } },
    ]);
  });
});

describe('what a task may say of itself', () => {
  it('is not handed out before its not_before, also when that is moved', async () => {
    const agent = await api.member();
    const id = await post({ type: agent.type, not_before: '2099-01-01T00:00:00Z' });
    expect(await get(id)).toMatchObject({ status: 'queued', next_attempt_at: '2099-01-01T00:00:00.000Z' });
    expect(await claim(agent)).toEqual([]);
    await api.call('PATCH', `/tasks/${id}`, { not_before: new Date(Date.now() + 700).toISOString() });
    expect(await claim(agent)).toEqual([]);
    expect(await claim(agent, 20_000)).toMatchObject([{ id }]);
  });

  it('tries no more after an error that it calls hopeless', async () => {
    const agent = await api.member();
    const policy = { max_attempts: 5, initial_delay: 0, non_retryable_errors: ['BAD_INPUT'] };
    const id = await post({ type: agent.type, retry_policy: policy });
    await claim(agent);
    await report(agent, id, { status: 'failed', error: { code: 'OTHER', message: 'no' } });
    await claim(agent, 5_000);
    await report(agent, id, { status: 'failed', error: { code: 'BAD_INPUT', message: 'no' } });
    expect(await get(id)).toMatchObject({ status: 'failed', attempt: 2 });
  });

  it('is not told more of an error than 64 KiB', async () => {
    const agent = await api.member();
    const id = await post({ type: agent.type });
    await claim(agent);
    const failed = (log: string): Promise<Answer> =>
      report(agent, id, { status: 'failed', error: { code: 'BROKEN', message: 'no', details: { log } } });
    expect(await failed('x'.repeat(65_536))).toMatchObject({
      status: 400,
      body: {
        error: {
          code: 'VALIDATION_FAILED',
          details: { errors: [{ path: '/error/details', message: 'must be at most 65536 bytes as JSON' }] },
        },
      },
    });
    expect(await failed('x'.repeat(65_000))).toMatchObject({ status: 200 });
  });

  it('runs though a dependency failed, if it says so', async () => {
    const agent = await api.member();
    const first = await post({ type: agent.type, retry_policy: { max_attempts: 1 } });
    const next = await post({ type: agent.type, dependencies: [first], on_dependency_failure: 'run' });
    await claim(agent);
    await report(agent, first, { status: 'failed' });
    expect(await claim(agent, 10_000)).toMatchObject([{ id: next }]);
  });

  it('shows when its agent expects to be done', async () => {
    const agent = await api.member();
    const id = await post({ type: agent.type });
    await claim(agent);
    await report(agent, id, { status: 'in_progress', estimated_completion: '2030-01-01T01:00:00+01:00' });
    expect(await get(id)).toMatchObject({ estimated_completion: '2030-01-01T00:00:00.000Z' });
  });

  it('waits for the one agent it names until that has what it requires', async () => {
    const agent = await api.member();
    const id = await post({ type: agent.type, assigned_agent: agent.id, required_capabilities: ['cuda'] });
    expect(await claim(agent)).toEqual([]);
    await api.register({ id: agent.id, type: agent.type, capabilities: ['cuda'] });
    expect(await claim(agent)).toMatchObject([{ id }]);
  });

  it('goes to the agent it names when that comes back', async () => {
    const id = await post({ type: 'x', assigned_agent: 'late-comer', on_agent_unavailable: 'queue' });
    const late = await api.register({ id: 'late-comer', type: 'any' });
    const { client_id, client_secret } = late.body['credentials'] as Record<string, string>;
    const token = await app.token(String(client_id), String(client_secret));
    const found = await until(async () => {
      const answer = await api.call('POST', '/agents/late-comer/claim', {}, token);
      return (answer.body['items'] as Item[])[0];
    });
    expect(found.id).toBe(id);
  });
});
