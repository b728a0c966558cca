import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentsApi, codeOf, type Credentials, idsOf } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { assertKnownEvents } from '../support/known-events.js';

const SEED_AGENT = {
  id: 'agent-001',
  type: 'code_generation',
  name: 'Code Generator',
  version: '1.0.0',
  capabilities: ['javascript', 'python', 'react'],
  health_check_url: 'http://agent-001:8080/health',
  configuration: { max_concurrent_tasks: 5, supported_frameworks: ['express', 'fastapi', 'react'] },
};

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

describe('an agent that registers', () => {
  it('is accepted as the seed prints it, and is told its credentials this once', async () => {
    const answer = await api.register(SEED_AGENT);
    expect(answer.status).toBe(201);
    expect(answer.headers['location']).toBe('/api/v1/agents/agent-001');
    expect(answer.headers['cache-control']).toBe('no-store');
    const { credentials, ...agent } = answer.body;
    expect(credentials).toEqual({
      client_id: 'agent-001',
      client_secret: expect.stringMatching(/^[\w-]{43}$/),
      webhook_secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
    });
    expect(agent).toEqual({
      ...SEED_AGENT,
      project_id: '*',
      metadata: null,
      status: 'active',
      health: 'unknown',
      health_reason: null,
      session_epoch: 1,
      last_seen: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      current_tasks: 0,
      performance_metrics: null,
      created_at: agent['last_seen'],
      updated_at: agent['last_seen'],
    });
    expect(await api.get('agent-001')).toEqual(agent);
    expect(idsOf(await api.call('GET', '/agents?type=code_generation&status=active'))).toEqual(['agent-001']);
  });

  it('makes an event', async () => {
    const { id } = await api.member({ capabilities: ['a', 'b'] });
    expect(await api.eventsOf(id)).toEqual([
      {
        type: 'agent.registered',
        topic: `agent.${id}.registered`,
        seq: 1,
        source_agent: null,
        correlation_id: id,
        payload: {
          agent_id: id,
          type: id,
          status: 'active',
          previous_status: null,
          project_id: '*',
          name: null,
          version: null,
          capabilities: ['a', 'b'],
          session_epoch: 1,
        },
      },
    ]);
  });

  it('belongs to the project that the body or its registrar names, and its client id says so', async () => {
    const id = api.unique('agent');
    const named = await api.register({ id, type: 't', project_id: 'proj-a' });
    expect(named.body).toMatchObject({ project_id: 'proj-a', credentials: { client_id: `proj-a/${id}` } });
    const bound = await api.register({ id, type: 't' }, await api.client('proj-b', 'agents:write'));
    expect(bound.status).toBe(201);
    expect(bound.body).toMatchObject({ project_id: 'proj-b', credentials: { client_id: `proj-b/${id}` } });
  });

  it('is refused a client id that somebody has', async () => {
    const answer = await api.register({ id: 'admin', type: 't' });
    expect([answer.status, codeOf(answer)]).toEqual([409, 'CONFLICT']);
    expect((await api.call('GET', '/agents/admin')).status).toBe(404);
  });

  it('is created once, however many try at once', async () => {
    const id = api.unique('agent');
    const answers = await Promise.all(Array.from({ length: 8 }, () => api.register({ id, type: 't' })));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(7);
    expect((await api.eventsOf(id)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect((await api.get(id))['session_epoch']).toBe(8);
  });

  it.each<[string, object, string]>([
    ['no id', { type: 't' }, '/id'],
    ['no type', { id: 'x' }, '/type'],
    ['an id with a slash', { id: 'a/b', type: 't' }, '/id'],
    ['a type with a dot', { id: 'x', type: 'a.b' }, '/type'],
    ['an unknown field', { id: 'x', type: 't', colour: 'red' }, '/colour'],
    [
      'a capacity of none',
      { id: 'x', type: 't', configuration: { max_concurrent_tasks: 0 } },
      '/configuration/max_concurrent_tasks',
    ],
    ['a file to probe', { id: 'x', type: 't', health_check_url: 'file:///etc/passwd' }, '/health_check_url'],
    [
      'credentials in its URL',
      { id: 'x', type: 't', health_check_url: 'http://a:b@c/' },
      '/health_check_url',
    ],
    ['capabilities as text', { id: 'x', type: 't', capabilities: 'react' }, '/capabilities'],
    ['every project by name', { id: 'x', type: 't', project_id: '*' }, '/project_id'],
  ])('is refused with %s, and told where', async (_, body, path) => {
    const answer = await api.register(body);
    expect([answer.status, codeOf(answer)]).toEqual([400, 'VALIDATION_FAILED']);
    expect(answer.body).toMatchObject({ error: { details: { errors: [{ path }] } } });
  });
});

describe('an agent that registers again', () => {
  it('by itself begins a new session, identical or not, and is told no secret', async () => {
    const { id, type, token } = await api.member({ name: 'first' });
    const again = await api.register({ id, type, name: 'second' }, token);
    expect(again.status).toBe(200);
    expect(again.body).toMatchObject({ name: 'second', session_epoch: 2 });
    expect(again.body).not.toHaveProperty('credentials');
    const same = await api.register({ id, type, name: 'second' }, token);
    expect([same.status, same.body['session_epoch']]).toEqual([200, 3]);
    expect((await api.eventsOf(id))[1]).toMatchObject({
      type: 'agent.updated',
      seq: 2,
      source_agent: id,
      payload: { status: 'active', previous_status: 'active', name: 'second', session_epoch: 2 },
    });
  });

  it('may be registered again by a client of its project, and by nobody else', async () => {
    const { id, type } = await api.member({ project_id: 'proj-c' });
    const strangers = await Promise.all([api.member(), api.member({ project_id: 'proj-c' })]);
    const outsider = await api.client('proj-d', 'agents:write');
    expect((await api.register({ id, type }, await api.client('proj-c', 'agents:write'))).status).toBe(200);
    for (const token of [...strangers.map((stranger) => stranger.token), outsider]) {
      const answer = await api.register({ id, type, project_id: 'proj-c' }, token);
      expect([answer.status, codeOf(answer)]).toEqual([403, 'FORBIDDEN']);
    }
    expect((await api.get(id))['session_epoch']).toBe(2);
  });

  it('gets new secrets when it asks for them, and the old ones are void', async () => {
    const { id, type, token, credentials } = await api.member();
    const { body } = await api.register({ id, type, rotate_secret: true }, token);
    const rotated = body['credentials'] as Credentials;
    expect(rotated.client_id).toBe(credentials.client_id);
    expect(rotated.webhook_secret).not.toBe(credentials.webhook_secret);
    await expect(app.token(credentials.client_id, credentials.client_secret)).rejects.toThrow(
      'invalid_client',
    );
    await expect(app.token(rotated.client_id, rotated.client_secret)).resolves.toEqual(expect.any(String));

    const answer = await api.call('POST', `/agents/${id}/rotate-secret`, undefined, token);
    expect(answer.status).toBe(200);
    await expect(app.token(rotated.client_id, rotated.client_secret)).rejects.toThrow('invalid_client');
    await expect(app.token(rotated.client_id, String(answer.body['client_secret']))).resolves.toBeDefined();
  });

  it('makes calls of its older session stale', async () => {
    const { id, type, token } = await api.member();
    await api.register({ id, type }, token);
    const stale = await api.beat(id, { session_epoch: 1 }, token);
    expect([stale.status, codeOf(stale)]).toEqual([409, 'STALE_SESSION']);
    expect(stale.body).toMatchObject({ error: { details: { session_epoch: 2 } } });
    expect((await api.beat(id, { session_epoch: 2 }, token)).body['session_epoch']).toBe(2);
    expect((await api.beat(id, {}, token)).status).toBe(200);
  });
});

describe('a change of an agent', () => {
  it('replaces what it names and leaves the rest', async () => {
    const { id, token } = await api.member({ name: 'Old', metadata: { a: 1 }, capabilities: ['x'] });
    const before = await api.get(id);
    const edit = { name: null, capabilities: ['y', 'z'], configuration: { max_concurrent_tasks: 2 } };
    const answer = await api.call('PATCH', `/agents/${id}`, edit, token);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ ...before, ...edit, updated_at: answer.body['updated_at'] });
    expect((await api.eventsOf(id)).at(-1)).toMatchObject({
      type: 'agent.updated',
      source_agent: id,
      payload: { changed: ['name', 'capabilities', 'configuration'] },
    });
  });

  it('that changes nothing makes no event', async () => {
    const { id } = await api.member({ configuration: { a: 1, b: [2] } });
    const before = await api.get(id);
    const same = await api.call('PATCH', `/agents/${id}`, {
      configuration: { b: [2], a: 1 },
      status: 'active',
    });
    expect(same.body).toEqual(before);
    expect(await api.eventsOf(id)).toHaveLength(1);
  });

  it('carries the correlation id that its caller gives', async () => {
    const { id, token } = await api.member();
    const headers = { 'X-Correlation-Id': 'deploy-7' };
    await app.http('PATCH', `/api/v1/agents/${id}`, { token, headers, body: { version: '2' } });
    expect((await api.eventsOf(id)).at(-1)?.correlation_id).toBe('deploy-7');
  });

  it.each<[object, string]>([
    [{ id: 'other' }, '/id'],
    [{ type: 'other' }, '/type'],
    [{ status: 'draining' }, '/status'],
    [{ configuration: { max_concurrent_tasks: 1001 } }, '/configuration/max_concurrent_tasks'],
    [{ configuration: null }, '/configuration'],
  ])('by %j is refused', async (edit, path) => {
    const answer = await api.call('PATCH', '/agents/agent-001', edit);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ error: { details: { errors: [{ path }] } } });
  });
});

describe('an agent that leaves', () => {
  it('is gone with its client, and comes back only if somebody brings it', async () => {
    const { id, type, token, credentials } = await api.member();
    expect((await api.call('DELETE', `/agents/${id}`, undefined, token)).status).toBe(204);
    expect((await api.call('GET', `/agents/${id}`)).status).toBe(404);
    expect((await api.call('DELETE', `/agents/${id}`)).status).toBe(404);
    expect((await api.beat(id, {}, token)).status).toBe(404);
    await expect(app.token(credentials.client_id, credentials.client_secret)).rejects.toThrow(
      'invalid_client',
    );
    expect((await api.register({ id, type }, token)).status).toBe(403);
    expect((await api.register({ id, type })).status).toBe(201);
    const events = await api.eventsOf(id);
    expect(events.map((event) => [event.type, event.seq])).toEqual([
      ['agent.registered', 1],
      ['agent.deregistered', 2],
      ['agent.registered', 3],
    ]);
  });
});
