import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentsApi, type Answer, codeOf, idsOf } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';

let app: TestApp;
let api: AgentsApi;

beforeAll(async () => {
  app = await startApp();
  api = await AgentsApi.of(app);
});
afterAll(() => app.close());

const refusalOf = (answer: Answer): unknown[] => [answer.status, codeOf(answer)];

describe('who may do what to an agent', () => {
  it('a project sees and changes its own agents; those of others do not exist for it', async () => {
    const { id } = await api.member({ project_id: 'proj-a' });
    const own = await api.client('proj-a', 'agents:read agents:write');
    const foreign = await api.client('proj-b', 'agents:read agents:write');
    expect((await api.call('GET', `/agents/${id}`, undefined, own)).status).toBe(200);
    expect((await api.call('POST', `/agents/${id}/drain`, undefined, own)).status).toBe(200);
    const attempts: [string, string, object?][] = [
      ['GET', ''],
      ['PATCH', '', { version: '2' }],
      ['DELETE', ''],
      ['POST', '/drain'],
      ['POST', '/rotate-secret'],
      ['POST', '/heartbeat', {}],
      ['GET', '?project_id=proj-a'],
    ];
    for (const [method, path, body] of attempts) {
      const answer = await api.call(method, `/agents/${id}${path}`, body, foreign);
      expect([method, path, ...refusalOf(answer)]).toEqual([method, path, 404, 'NOT_FOUND']);
    }
    expect(idsOf(await api.call('GET', '/agents', undefined, foreign))).toEqual([]);
  });

  it('an agent changes itself, and no other', async () => {
    const { id } = await api.member({ project_id: 'proj-c' });
    const other = await api.member({ project_id: 'proj-c' });
    const attempts: [string, string, object?][] = [
      ['PATCH', '', { version: '2' }],
      ['DELETE', ''],
      ['POST', '/drain'],
      ['POST', '/rotate-secret'],
      ['POST', '/heartbeat', {}],
    ];
    for (const [method, path, body] of attempts) {
      const answer = await api.call(method, `/agents/${id}${path}`, body, other.token);
      expect([method, path, ...refusalOf(answer)]).toEqual([method, path, 403, 'FORBIDDEN']);
      expect((await api.call(method, `/agents/nobody${path}`, body, other.token)).status).toBe(404);
    }
    expect((await api.call('GET', `/agents/${id}`, undefined, other.token)).status).toBe(200);
  });

  it('takes a scope for it, which is asked for first', async () => {
    const token = await api.client('*', 'tasks:read');
    for (const [method, path] of [
      ['POST', '/agents/register'],
      ['GET', '/agents'],
      ['PATCH', '/agents/nobody'],
      ['POST', '/agents/nobody/heartbeat'],
    ] as const) {
      const answer = await api.call(method, path, method === 'GET' ? undefined : { nonsense: 1 }, token);
      expect([path, ...refusalOf(answer)]).toEqual([path, 403, 'FORBIDDEN']);
    }
    expect((await app.http('GET', '/api/v1/agents')).status).toBe(401);
  });

  it('a token of all projects finds an id in any, and says which where there are several', async () => {
    const id = api.unique('twin');
    await api.register({ id, type: 't', project_id: 'proj-a' });
    expect((await api.get(id))['project_id']).toBe('proj-a');
    await api.register({ id, type: 't', project_id: 'proj-b' });
    const answer = await api.call('GET', `/agents/${id}`);
    expect(refusalOf(answer)).toEqual([409, 'CONFLICT']);
    expect(answer.body).toMatchObject({ error: { details: { projects: ['proj-a', 'proj-b'] } } });
    const asked = await api.call('GET', `/agents/${id}?project_id=proj-b`);
    expect(asked.body['project_id']).toBe('proj-b');
    const headers = { 'X-Project-Id': 'proj-a' };
    const token = await app.adminToken();
    const beat = await app.http('POST', `/api/v1/agents/${id}/heartbeat`, { token, headers, body: {} });
    expect(beat.status).toBe(200);
  });

  it('an agent of all projects that names itself means itself', async () => {
    const { id, token } = await api.member();
    await api.register({ id, type: 't', project_id: 'proj-a' });
    expect((await api.beat(id, {}, token)).status).toBe(200);
    expect((await api.call('GET', `/agents/${id}`, undefined, token)).body['project_id']).toBe('*');
  });
});

describe('the list of agents', () => {
  const project = 'proj-list';
  const list = (query: string): Promise<Answer> => api.call('GET', `/agents?project_id=${project}${query}`);

  beforeAll(async () => {
    for (let i = 1; i <= 5; i += 1) {
      const capabilities = i % 2 === 0 ? ['even', 'number'] : ['number'];
      await api.register({ id: `l-${i}`, type: i < 4 ? 'low' : 'high', project_id: project, capabilities });
    }
    await api.call('POST', '/agents/l-5/drain?project_id=proj-list');
  });

  it('is newest first and goes on where a page ended', async () => {
    const seen: unknown[] = [];
    let cursor = '';
    do {
      const page = await list(`&limit=2${cursor}`);
      seen.push(...idsOf(page));
      const next = page.body['next_cursor'];
      cursor = typeof next === 'string' ? `&cursor=${next}` : '';
    } while (cursor !== '');
    expect(seen).toEqual(['l-5', 'l-4', 'l-3', 'l-2', 'l-1']);
  });

  it('is filtered by type, capability and status', async () => {
    expect(idsOf(await list('&type=low'))).toEqual(['l-3', 'l-2', 'l-1']);
    expect(idsOf(await list('&capability=even'))).toEqual(['l-4', 'l-2']);
    expect(idsOf(await list('&status=draining'))).toEqual(['l-5']);
    expect(idsOf(await list('&status=active'))).toEqual(['l-4', 'l-3', 'l-2', 'l-1']);
    expect(idsOf(await list('&status=busy'))).toEqual([]);
    expect(idsOf(await list('&status=offline&type=low'))).toEqual([]);
  });

  it('pages through what only the load tells apart', async () => {
    const first = await list('&status=active&limit=3');
    expect(idsOf(first)).toEqual(['l-4', 'l-3', 'l-2']);
    const rest = await list(`&status=active&limit=3&cursor=${String(first.body['next_cursor'])}`);
    expect([idsOf(rest), rest.body['next_cursor']]).toEqual([['l-1'], null]);
  });

  it('is filtered by time and by the correlation id of the registration', async () => {
    const third = (await api.call('GET', '/agents/l-3?project_id=proj-list')).body['created_at'];
    expect(idsOf(await list(`&created_after=${String(third)}`))).toEqual(['l-5', 'l-4']);
    expect(idsOf(await list(`&created_before=${String(third)}`))).toEqual(['l-2', 'l-1']);
    expect(idsOf(await list('&correlation_id=l-2'))).toEqual(['l-2']);
  });

  it('goes over all projects for a token that sees them', async () => {
    const page = await api.call('GET', '/agents?limit=200');
    expect(idsOf(page)).toEqual(expect.arrayContaining(['l-1', 'l-5']));
    const halves = await api.call('GET', '/agents?limit=4');
    const next = await api.call('GET', `/agents?limit=200&cursor=${String(halves.body['next_cursor'])}`);
    expect([...idsOf(halves), ...idsOf(next)]).toEqual(idsOf(page));
  });

  it.each(['limit=0', 'limit=201', 'limit=x', 'status=tired', 'cursor=x', 'colour=red', 'created_after=now'])(
    'refuses %s',
    async (query) => {
      expect(refusalOf(await list(`&${query}`))).toEqual([400, 'VALIDATION_FAILED']);
    },
  );
});
