import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../support/app.js';
import { until } from '../support/wait-for.js';

interface Answer {
  readonly status: number;
  // What the server answered, as a client without types sees it.
  readonly body: Record<string, unknown>;
  readonly headers: Record<string, string>;
}

interface Item {
  readonly id: string;
  readonly attempt: number;
  readonly lease_token: string;
  readonly status: string;
}

/** An agent of a test: registered, with a token of its own. */
interface Agent {
  readonly id: string;
  claim(max?: number, waitMs?: number): Promise<Item[]>;
  report(taskId: string, body: object): Promise<Answer>;
  call(path: string, body: object): Promise<Answer>;
}

describe('tasks over HTTP', () => {
  let app: TestApp;
  let admin: string;
  let names = 0;

  beforeAll(async () => {
    app = await startApp({ env: { HEARTBEAT_INTERVAL: '1' } });
    admin = await app.adminToken();
  });
  afterAll(() => app.close());

  const call = async (method: string, path: string, body?: object, token = admin): Promise<Answer> =>
    (await app.http(method, `/api/v1${path}`, { token, ...(body === undefined ? {} : { body }) })) as Answer;
  const unique = (name: string): string => `${name}-${(names += 1)}`;
  const post = async (body: object): Promise<Answer> => call('POST', '/tasks', body);
  const get = async (id: string): Promise<Record<string, unknown>> =>
    (await call('GET', `/tasks/${id}`)).body;

  async function agent(type: string, capacity = 10, more: object = {}): Promise<Agent> {
    const id = unique('agent');
    const registered = await call('POST', '/agents/register', {
      id,
      type,
      configuration: { max_concurrent_tasks: capacity },
      ...more,
    });
    expect(registered.status).toBe(201);
    const { client_id: clientId, client_secret: secret } = registered.body['credentials'] as Record<
      string,
      string
    >;
    const token = await app.token(String(clientId), String(secret));
    const own = (path: string, body: object): Promise<Answer> =>
      call('POST', `/agents/${id}${path}`, body, token);
    return {
      id,
      call: own,
      claim: async (max = 1, waitMs = 0) => {
        const answer = await own('/claim', { max_tasks: max, wait_ms: waitMs });
        expect(answer.status).toBe(200);
        return answer.body['items'] as Item[];
      },
      report: (taskId, body) => call('PATCH', `/tasks/${taskId}`, body, token),
    };
  }

  async function claimed(worker: Agent, type: string, more: object = {}): Promise<Item> {
    await post({ type, ...more });
    const [item] = await worker.claim();
    if (item === undefined) throw new Error('nothing to claim');
    return item;
  }

  it('accepts the seed’s task as printed, and its agent’s update claims it in the same step', async () => {
    const registration = {
      id: 'agent-001',
      type: 'code_generation',
      name: 'Code Generator',
      version: '1.0.0',
      capabilities: ['javascript', 'python', 'react'],
      health_check_url: 'http://agent-001:8080/health',
      configuration: { max_concurrent_tasks: 5, supported_frameworks: ['express', 'fastapi', 'react'] },
    };
    const registered = await call('POST', '/agents/register', registration);
    expect(registered.status).toBe(201);
    const credentials = registered.body['credentials'] as Record<string, string>;
    const token = await app.token(String(credentials['client_id']), String(credentials['client_secret']));
    const workflow = await call('POST', '/workflows', {
      id: 'workflow-123',
      project_id: 'proj-456',
      name: 'Full Stack App Generation',
      stages: [
        { name: 'requirement_analysis', agent_type: 'requirement_analysis', dependencies: [], timeout: 120 },
      ],
      configuration: { parallel_execution: false, failure_strategy: 'stop_on_error' },
    });
    expect(workflow.status).toBe(201);
    expect(
      (await post({ id: 'task-002', type: 'planning', parent_workflow_id: 'workflow-123' })).status,
    ).toBe(201);
    const seed = {
      id: 'task-001',
      type: 'code_generation',
      priority: 'high',
      assigned_agent: 'agent-001',
      parent_workflow_id: 'workflow-123',
      input_data: {
        template_id: 'react-crud-template',
        customizations: {
          entities: ['User', 'Product', 'Order'],
          authentication: 'jwt',
          database: 'postgresql',
        },
      },
      dependencies: ['task-002'],
      timeout: 300,
      retry_policy: { max_attempts: 3, backoff_strategy: 'exponential' },
    };
    const created = await post(seed);
    expect(created.status).toBe(201);
    expect(created.headers['location']).toBe('/api/v1/tasks/task-001');
    expect(created.body).toMatchObject({
      ...seed,
      retry_policy: seed.retry_policy,
      status: 'blocked',
      project_id: 'proj-456',
    });
    const update = {
      status: 'in_progress',
      progress: 45,
      output_data: { files_generated: 12, current_operation: 'generating_api_routes' },
      estimated_completion: '2025-01-15T14:30:00Z',
    };
    const early = await call('PATCH', '/tasks/task-001', update, token);
    expect(early).toMatchObject({ status: 412, body: { error: { code: 'DEPENDENCY_NOT_MET' } } });

    const planner = await agent('planning', 1, { project_id: 'proj-456' });
    const [item] = await planner.claim();
    await planner.report(String(item?.id), { status: 'completed', attempt: item?.attempt });
    await until(async () => (await get('task-001'))['status'] === 'queued');
    const updated = await call('PATCH', '/tasks/task-001', update, token);
    expect(updated).toMatchObject({ status: 200, body: { status: 'in_progress', progress: 45, attempt: 1 } });
    expect(updated.body['estimated_completion']).toBe('2025-01-15T14:30:00.000Z');
  });

  it('hands a task out, takes reports, and tells the whole story in its history', async () => {
    const type = unique('story');
    const worker = await agent(type);
    const item = await claimed(worker, type, { input_data: { n: 1 } });
    expect(item).toMatchObject({
      status: 'assigned',
      attempt: 1,
      assigned_agent: worker.id,
      input_data: { n: 1 },
    });
    await worker.report(item.id, { status: 'in_progress', progress: 10, lease_token: item.lease_token });
    await worker.report(item.id, {
      status: 'completed',
      output_data: { ok: true },
      lease_token: item.lease_token,
    });
    expect(await get(item.id)).toMatchObject({
      status: 'completed',
      progress: 100,
      output_data: { ok: true },
    });
    const { body } = await call('GET', `/tasks/${item.id}/history`);
    expect(body['attempts']).toMatchObject([{ attempt: 1, agent_id: worker.id, outcome: 'completed' }]);
    const events = body['events'] as { event_type: string; seq: number }[];
    expect(events.map((event) => event.event_type)).toEqual([
      'task.created',
      'task.assigned',
      'task.started',
      'task.progress',
      'task.completed',
    ]);
    expect(events.map((event) => event.seq)).toEqual([1, 2, 3, 4, 5]);
    expect(JSON.stringify(body)).not.toContain(item.lease_token);
  });

  it('claims by priority, then age, and never more than the agent’s capacity', async () => {
    const type = unique('order');
    const worker = await agent(type, 3);
    for (const priority of ['low', 'normal', 'critical', 'high', 'normal']) await post({ type, priority });
    const first = await worker.claim(10);
    expect(first.map((item) => (item as unknown as { priority: string }).priority)).toEqual([
      'critical',
      'high',
      'normal',
    ]);
    expect(await worker.claim(10)).toEqual([]);
    await worker.report(String(first[0]?.id), { status: 'completed', attempt: 1 });
    expect(await worker.claim(10)).toHaveLength(1);
  });

  it('gives each task to one agent, however many ask at once', async () => {
    const type = unique('race');
    const workers = await Promise.all(Array.from({ length: 8 }, () => agent(type, 100)));
    await call('POST', '/tasks/batch', { tasks: Array.from({ length: 100 }, () => ({ type })) });
    const hauls = await Promise.all(workers.flatMap((worker) => [worker.claim(10), worker.claim(10)]));
    const ids = hauls.flat().map((item) => item.id);
    expect(new Set(ids).size).toBe(ids.length);
    const rest = await Promise.all(workers.map((worker) => worker.claim(100)));
    expect(ids.length + rest.flat().length).toBe(100);
  });

  it('fences: an old attempt, a wrong token and a stranger are refused, a repeated report is answered as before', async () => {
    const type = unique('fence');
    const worker = await agent(type);
    const other = await agent(type);
    const item = await claimed(worker, type);
    expect(await worker.report(item.id, { status: 'completed', attempt: 7 })).toMatchObject({
      status: 409,
      body: { error: { code: 'STALE_LEASE' } },
    });
    expect(await worker.report(item.id, { status: 'completed', lease_token: 'made-up' })).toMatchObject({
      status: 409,
    });
    expect(await other.report(item.id, { status: 'completed' })).toMatchObject({
      status: 403,
      body: { error: { code: 'FORBIDDEN' } },
    });
    const done = { status: 'completed', lease_token: item.lease_token, output_data: { n: 1 } };
    const first = await worker.report(item.id, done);
    expect(first.status).toBe(200);
    expect(await worker.report(item.id, done)).toMatchObject({ status: 200, body: first.body });
    expect(await worker.report(item.id, { ...done, status: 'failed' })).toMatchObject({
      status: 409,
      body: { error: { code: 'INVALID_TRANSITION', details: { from: 'completed', to: 'failed' } } },
    });
  });

  it('retries after a backoff until the attempts are spent, and lists what died', async () => {
    const type = unique('retry');
    const worker = await agent(type);
    const policy = { max_attempts: 2, backoff_strategy: 'fixed', initial_delay: 0.3, jitter: 'none' };
    const item = await claimed(worker, type, { retry_policy: policy });
    const error = { code: 'COMPILE_ERROR', message: 'no' };
    const failed = await worker.report(item.id, { status: 'failed', error, attempt: 1 });
    expect(failed.body).toMatchObject({ status: 'queued', error });
    expect(Date.parse(String(failed.body['next_attempt_at']))).toBeGreaterThan(
      Date.parse(String(failed.body['updated_at'])),
    );
    const [again] = await worker.claim(1, 10_000);
    expect(again).toMatchObject({ id: item.id, attempt: 2 });
    expect((await worker.report(item.id, { status: 'failed', error, attempt: 2 })).body).toMatchObject({
      status: 'failed',
    });
    const dead = await call('GET', `/tasks?status=failed&type=${type}`);
    expect(dead.body['items']).toMatchObject([{ id: item.id, error }]);
    const redriven = await call('POST', `/tasks/${item.id}/retry`);
    expect(redriven.body).toMatchObject({ status: 'queued', error: null });
    expect(await worker.claim()).toMatchObject([{ id: item.id, attempt: 3 }]);
  });

  it('offers the task of an agent that fell silent again, and calls its late report stale', async () => {
    const type = unique('silent');
    const worker = await agent(type);
    const item = await claimed(worker, type);
    await worker.report(item.id, { status: 'in_progress', attempt: 1 });
    const heir = await agent(type);
    const [again] = await heir.claim(1, 20_000);
    expect(again).toMatchObject({ id: item.id, attempt: 2 });
    const late = await worker.report(item.id, { status: 'completed', lease_token: item.lease_token });
    expect(late).toMatchObject({ status: 409, body: { error: { code: 'STALE_LEASE' } } });
  });

  it('keeps a started task with an agent that only sends heartbeats, beyond its lease', async () => {
    const type = unique('beat');
    const worker = await agent(type);
    const item = await claimed(worker, type);
    await worker.report(item.id, { status: 'in_progress', attempt: 1 });
    const lease = Date.parse(String((await get(item.id))['lease_expires_at']));
    await until(
      async () => {
        await worker.call('/heartbeat', { status: 'active' });
        return Date.now() > lease + 1500;
      },
      { within: 15_000 },
    );
    expect(await get(item.id)).toMatchObject({ status: 'in_progress', attempt: 1 });
  });

  it('ends an attempt that takes longer than its timeout', async () => {
    const type = unique('slow');
    const worker = await agent(type);
    const item = await claimed(worker, type, { timeout: 1, retry_policy: { max_attempts: 1 } });
    await until(async () => (await get(item.id))['status'] === 'failed');
    const result = await call('GET', `/tasks/${item.id}/result`);
    expect(result).toMatchObject({ status: 408, body: { error: { code: 'TASK_TIMEOUT' } } });
  });

  it('answers a waiting claim as soon as there is work', async () => {
    const type = unique('wait');
    const worker = await agent(type);
    const waiting = worker.claim(1, 20_000);
    await post({ type });
    expect(await waiting).toHaveLength(1);
  });

  it('gives back what was claimed for a caller that went away', async () => {
    const type = unique('gone');
    const worker = await agent(type);
    const heir = await agent(type);
    await app.abandon('POST', `/api/v1/agents/${worker.id}/claim`, {
      token: admin,
      body: { wait_ms: 20_000 },
    });
    await post({ type });
    const [item] = await heir.claim(1, 10_000);
    expect(item).toMatchObject({ assigned_agent: heir.id });
  });

  it('releases a task when its dependencies are met, and fails it with one that failed', async () => {
    const type = unique('dependency');
    const worker = await agent(type);
    const [a, b] = [unique('a'), unique('b')];
    await post({ id: a, type });
    await post({ id: b, type, retry_policy: { max_attempts: 1 } });
    const both = await post({ type: unique('later'), dependencies: [a, b] });
    const one = await post({ type: unique('later'), dependencies: [a] });
    const anyway = await post({ type: unique('later'), dependencies: [b], on_dependency_failure: 'run' });
    expect(both.body['status']).toBe('blocked');
    await worker.claim(2);
    await worker.report(a, { status: 'completed', attempt: 1 });
    await worker.report(b, { status: 'failed', attempt: 1 });
    await until(async () => (await get(String(one.body['id'])))['status'] === 'queued');
    await until(async () => (await get(String(both.body['id'])))['status'] === 'failed');
    await until(async () => (await get(String(anyway.body['id'])))['status'] === 'queued');
    expect(await get(String(both.body['id']))).toMatchObject({ error: { code: 'DEPENDENCY_NOT_MET' } });
    expect(await post({ type, dependencies: ['nobody'] })).toMatchObject({
      status: 412,
      body: { error: { code: 'DEPENDENCY_NOT_MET' } },
    });
  });

  it('releases a dependent exactly once when both its dependencies end at the same moment', async () => {
    const type = unique('same');
    const worker = await agent(type, 100);
    const pairs = Array.from({ length: 20 }, () => [unique('l'), unique('r')] as const);
    await call('POST', '/tasks/batch', {
      tasks: pairs.flatMap(([l, r]) => [
        { id: l, type },
        { id: r, type },
        { id: `${l}.then`, type: `${type}-then`, dependencies: [l, r] },
      ]),
    });
    await worker.claim(100);
    await Promise.all(pairs.flat().map((id) => worker.report(id, { status: 'completed', attempt: 1 })));
    for (const [l] of pairs) await until(async () => (await get(`${l}.then`))['status'] === 'queued');
    for (const [l] of pairs) {
      const { body } = await call('GET', `/tasks/${l}.then/history`);
      expect((body['events'] as { event_type: string }[]).map((event) => event.event_type)).toEqual([
        'task.created',
        'task.queued',
      ]);
    }
  });

  it('cancels; the holder’s next report is refused, a repeated cancel is not', async () => {
    const type = unique('cancel');
    const worker = await agent(type);
    const item = await claimed(worker, type);
    expect((await call('POST', `/tasks/${item.id}/cancel`)).body).toMatchObject({ status: 'cancelled' });
    expect((await call('POST', `/tasks/${item.id}/cancel`)).status).toBe(200);
    expect(await worker.report(item.id, { status: 'completed', attempt: 1 })).toMatchObject({
      status: 409,
      body: { error: { code: 'INVALID_TRANSITION' } },
    });
    expect(await call('GET', `/tasks/${item.id}/result`)).toMatchObject({
      status: 409,
      body: { error: { code: 'TASK_CANCELLED' } },
    });
  });

  it('waits with the creator until the task has ended', async () => {
    const type = unique('sync');
    const worker = await agent(type);
    const created = call('POST', '/tasks?wait_ms=20000', { type });
    const [item] = await worker.claim(1, 20_000);
    await worker.report(String(item?.id), { status: 'completed', attempt: 1, output_data: { answer: 42 } });
    expect(await created).toMatchObject({
      status: 201,
      body: { status: 'completed', output_data: { answer: 42 } },
    });
    expect(await call('GET', `/tasks/${item?.id}/result`)).toMatchObject({
      status: 200,
      body: { output_data: { answer: 42 } },
    });
  });

  it('takes a client’s id as an idempotency key', async () => {
    const body = { id: unique('mine'), type: unique('once'), input_data: { a: 1, b: 2 } };
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(body)));
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(9);
    expect(await post({ ...body, input_data: { b: 2, a: 1 } })).toMatchObject({ status: 200 });
    expect(await post({ ...body, input_data: { a: 2 } })).toMatchObject({
      status: 409,
      body: { error: { code: 'CONFLICT' } },
    });
  });

  it('creates a batch whole or not at all', async () => {
    const type = unique('batch');
    const refused = await call('POST', '/tasks/batch', {
      tasks: [{ type }, { type, dependencies: ['nobody'] }],
    });
    expect(refused.status).toBe(412);
    expect((await call('GET', `/tasks?type=${type}`)).body['items']).toEqual([]);
  });

  it('takes reports in a batch, each judged alone, and claims the next in the same call', async () => {
    const type = unique('many');
    const worker = await agent(type, 2);
    await call('POST', '/tasks/batch', { tasks: Array.from({ length: 4 }, () => ({ type })) });
    const items = await worker.claim(2);
    const answer = await worker.call('/reports', {
      reports: [
        ...items.map((item) => ({ task_id: item.id, status: 'completed', attempt: 1 })),
        { task_id: 'nobody', status: 'completed' },
      ],
      claim: { max_tasks: 5 },
    });
    expect(answer.body['items']).toMatchObject([
      { ok: true },
      { ok: true },
      { ok: false, error: { code: 'NOT_FOUND' } },
    ]);
    expect(answer.body['claimed']).toHaveLength(2);
  });

  it('takes no report on another agent’s task, though its attempt number can be guessed', async () => {
    const type = unique('guess');
    const holder = await agent(type);
    const other = await agent(type);
    const item = await claimed(holder, type);
    const refused = { status: 403, body: { error: { code: 'FORBIDDEN' } } };
    expect(await other.report(item.id, { status: 'completed', attempt: 1 })).toMatchObject(refused);
    expect(await call('PATCH', `/tasks/${item.id}`, { status: 'completed', attempt: 1 })).toMatchObject(
      refused,
    );
    const batch = { reports: [{ task_id: item.id, status: 'completed', attempt: 1 }] };
    expect((await other.call('/reports', batch)).body['items']).toMatchObject([
      { ok: false, error: { code: 'FORBIDDEN' } },
    ]);
    expect(await get(item.id)).toMatchObject({ status: 'assigned', assigned_agent: holder.id });
    expect((await holder.call('/reports', batch)).body['items']).toMatchObject([{ ok: true }]);
  });

  it('does not reach into another project by a report that names it', async () => {
    const type = unique('foreign');
    const ours = await agent(type, 10, { project_id: 'ours' });
    const theirs = await agent(type, 10, { project_id: 'theirs' });
    const { body: task } = await post({ type, project_id: 'theirs' });
    const [item] = await theirs.claim();
    const answer = await ours.call('/reports', {
      reports: [
        { task_id: task['id'], project_id: 'theirs', status: 'completed', lease_token: item?.lease_token },
      ],
    });
    expect(answer.body['items']).toMatchObject([{ ok: false, error: { code: 'NOT_FOUND' } }]);
    expect(await get(String(task['id']))).toMatchObject({ status: 'assigned' });
  });

  it('refuses an assigned agent that is unknown, unless the task may wait for it', async () => {
    const body = { type: unique('for'), assigned_agent: unique('ghost') };
    expect(await post(body)).toMatchObject({
      status: 503,
      body: {
        error: { code: 'AGENT_UNAVAILABLE', details: { agent_id: body.assigned_agent, retry_after: 60 } },
      },
    });
    expect((await post({ ...body, on_agent_unavailable: 'queue' })).status).toBe(201);
  });

  it('hands out what needs a capability only to those who have it', async () => {
    const type = unique('skilled');
    const plain = await agent(type);
    await post({ type, required_capabilities: ['rust'] });
    expect(await plain.claim()).toEqual([]);
    const skilled = await agent(type, 1, { capabilities: ['go', 'rust'] });
    expect(await skilled.claim()).toHaveLength(1);
  });

  it('says clearly what is wrong with a bad body', async () => {
    for (const body of [
      {},
      { type: '' },
      { type: 'x', priority: 'urgent' },
      { type: 'x', timeout: 0 },
      { type: 'x', surprise: 1 },
    ]) {
      const answer = await post(body);
      expect(answer).toMatchObject({ status: 400, body: { error: { code: 'VALIDATION_FAILED' } } });
    }
    // 400 comes before 404 (CONTRACT §1).
    expect(await call('PATCH', '/tasks/x', {})).toMatchObject({ status: 400 });
    expect(await call('PATCH', '/tasks/x', { progress: 1 })).toMatchObject({ status: 404 });
  });

  it('lists in pages, newest first, filtered', async () => {
    const type = unique('page');
    for (let i = 0; i < 5; i += 1) await post({ id: `${type}-${i}`, type });
    const first = await call('GET', `/tasks?type=${type}&limit=3`);
    const second = await call(
      'GET',
      `/tasks?type=${type}&limit=3&cursor=${String(first.body['next_cursor'])}`,
    );
    const ids = [...(first.body['items'] as Item[]), ...(second.body['items'] as Item[])].map(
      (item) => item.id,
    );
    expect(ids).toEqual([4, 3, 2, 1, 0].map((i) => `${type}-${i}`));
    expect(second.body['next_cursor']).toBeNull();
    expect((await call('GET', '/tasks?limit=0')).status).toBe(400);
  });
});
