import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { type ServerProcess, startServer } from '../support/processes.js';
import { Talker } from '../support/talkers.js';
import { until } from '../support/wait-for.js';
import { MESSAGE } from '../support/seed.js';

type Json = Readonly<Record<string, unknown>>;

const SECRET = 'the-admin-of-the-tests';

// What the seed prints; its [...] and {...} filled in.
const REQUEST = {
  id: 'req-001',
  type: 'generate_code',
  source: 'orchestrator-001',
  target: 'code-gen-001',
  correlation_id: 'workflow-123',
  data: { template_id: 'express-api', parameters: { language: 'typescript' } },
  timeout: 300,
  callback_url: '/api/v1/callbacks/req-001',
};
const RESPONSE = {
  id: 'resp-001',
  request_id: 'req-001',
  status: 'success',
  data: { generated_files: ['app.ts', 'routes.ts'], execution_time: 45.2 },
  errors: [],
};
const SUBSCRIPTION = {
  agent_id: 'orchestrator-001',
  topics: ['task.*.completed', 'workflow.stage_completed', 'system.alerts'],
  filters: { priority: ['high', 'critical'], project_id: 'proj-456' },
};
const PUBLICATION = {
  topic: 'task.code_generation.completed',
  data: { task_id: 'task-001', result: 'success', artifacts: ['app.zip'] },
};

describe('agents in processes of their own', () => {
  let database: TestDatabase;
  let server: ServerProcess;
  let admin: string;
  const tokens = new Map<string, string>();
  const talkers: Talker[] = [];

  async function call(path: string, body: object, token?: string): Promise<Json> {
    const answer = await fetch(`${server.url}/api/v1${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
    return (await answer.json()) as Json;
  }

  async function tokenOf(clientId: string, secret: string): Promise<string> {
    const body = { grant_type: 'client_credentials', client_id: clientId, client_secret: secret };
    return String((await call('/auth/token', body))['access_token']);
  }

  async function talker(id: string, more: { after?: string; response?: object } = {}): Promise<Talker> {
    const started = await Talker.start({ url: server.url, id, token: tokens.get(id) ?? '', ...more });
    talkers.push(started);
    return started;
  }

  beforeAll(async () => {
    database = await createDatabase();
    server = await startServer({
      env: {
        DATABASE_URL: database.url,
        HEARTBEAT_INTERVAL: '1',
        LOG_LEVEL: 'warn',
        PARLEY_ADMIN_CLIENT_ID: 'admin',
        PARLEY_ADMIN_CLIENT_SECRET: SECRET,
      },
    });
    admin = await tokenOf('admin', SECRET);
    for (const id of ['orchestrator-001', 'code-gen-001', 'agent-001']) {
      const { credentials } = await call('/agents/register', { id, type: 'code_generation' }, admin);
      const { client_secret: secret } = credentials as Record<string, string>;
      tokens.set(id, await tokenOf(id, String(secret)));
    }
  });
  afterAll(async () => {
    await Promise.all(talkers.map((one) => one.kill()));
    await server.kill('SIGTERM');
    await database.drop();
  });

  it('ask, answer, subscribe, publish and tell each other as the seed prints it, one of them away for a while', async () => {
    let orchestrator = await talker('orchestrator-001');
    const coder = await talker('code-gen-001', { response: RESPONSE });
    const reporter = await talker('agent-001');

    // One asks, the other answers at the address that the request names.
    expect(await orchestrator.ask('request', REQUEST)).toEqual({
      ok: true,
      data: { id: 'req-001', status: 'pending' },
    });
    const { data, timeout } = REQUEST;
    expect((await coder.hears('request.created')).payload).toMatchObject({
      request_id: 'req-001',
      data,
      timeout,
    });
    const completed = await orchestrator.hears('request.completed');
    expect(completed).toMatchObject({ correlation_id: 'workflow-123', payload: { response: RESPONSE } });
    expect(await orchestrator.call('GET', '/requests/req-001')).toMatchObject({
      status: 200,
      body: { ...REQUEST, status: 'answered', response: RESPONSE },
    });

    // A subscription outlives the socket, and lets pass what its filters say.
    expect(await orchestrator.call('POST', '/subscriptions', SUBSCRIPTION)).toMatchObject({
      status: 201,
      body: SUBSCRIPTION,
    });
    const urgent = { ...PUBLICATION, data: { ...PUBLICATION.data, priority: 'high' } };
    const project = { project_id: 'proj-456' };
    for (const publication of [PUBLICATION, urgent])
      expect(await reporter.call('POST', '/publications', { ...publication, ...project })).toMatchObject({
        status: 202,
        body: { topic: PUBLICATION.topic, payload: publication.data, source_agent: 'agent-001' },
      });
    const published = await orchestrator.hears('message.published');
    expect(published.payload).toEqual(urgent.data);
    expect(orchestrator.types).toEqual(['request.completed', 'message.published']);

    // It goes away; what is said meanwhile waits, unless it says that it cannot.
    await orchestrator.kill();
    expect(await reporter.call('POST', '/messages', MESSAGE)).toMatchObject({ status: 202 });
    const brief = { target_agent: 'orchestrator-001', ttl: 1 };
    expect(await coder.ask('message', brief)).toMatchObject({ ok: true });
    expect(await reporter.ask('publish', { ...urgent, ...project })).toMatchObject({ ok: true });
    expect((await coder.hears('message.expired')).payload).toMatchObject({
      target_agent: 'orchestrator-001',
    });
    await until(async () => {
      const seen = (await coder.call('GET', '/agents/orchestrator-001')) as { body: Json };
      return seen.body['status'] === 'offline';
    });
    expect(await coder.call('POST', '/requests', { type: 'x', target: 'orchestrator-001' })).toMatchObject({
      status: 503,
      body: {
        error: {
          code: 'AGENT_UNAVAILABLE',
          details: { agent_id: 'orchestrator-001', last_seen: expect.any(String) },
        },
      },
    });
    const alert = { severity: 'critical', message: 'Come back.', details: {}, ...project };
    expect(await call('/alerts', alert, admin)).toMatchObject({ event_type: 'system.alert' });

    // It comes back with the last cursor it saw, and is told what it missed, once: the alert has no priority to pass.
    orchestrator = await talker('orchestrator-001', { after: published.cursor });
    const message = await orchestrator.hears('task.progress');
    const { timestamp: _printed, ...told } = MESSAGE;
    expect(message).toMatchObject(told);
    expect((await orchestrator.hears('message.published')).payload).toEqual(urgent.data);
    await coder.ask('message', { target_agent: 'orchestrator-001' });
    await orchestrator.hears('message.sent');
    expect(orchestrator.types.toSorted()).toEqual(['message.published', 'message.sent', 'task.progress']);
  });
});
