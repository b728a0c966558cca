import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentsApi, type Answer, codeOf, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';

const PROJECT = 'proj-a';

let app: TestApp;
let api: AgentsApi;
/** A client that is bound to one project, with every scope but admin. */
let bound: string;

beforeAll(async () => {
  app = await startApp();
  api = await AgentsApi.of(app);
  bound = await api.client(
    PROJECT,
    'agents:read agents:write tasks:read tasks:write tasks:execute workflows:read workflows:write events:read',
  );
});
afterAll(() => app.close());

/** The places that a refusal names, as JSON pointers. */
function pathsOf(answer: Answer): string[] {
  const { details } = answer.body['error'] as { details: { errors: { path: string }[] } };
  return details.errors.map(({ path }) => path);
}

/** Status and code of a refusal, which must be the standard envelope. */
function refusalIn(answer: Answer): [number, unknown] {
  expect(Object.keys(answer.body['error'] as object)).toEqual([
    'code',
    'message',
    'details',
    'correlation_id',
    'timestamp',
  ]);
  return [answer.status, codeOf(answer)];
}

describe('a body is refused with 400 and the place of each fault', () => {
  const stage = { name: 'a', agent_type: 'a' };
  it.each<[string, string, string, object, string[]]>([
    ['an unknown field', 'POST', '/tasks', { type: 'a', colour: 'red' }, ['/colour']],
    ['two faults at once', 'POST', '/tasks', { priority: 'urgent' }, ['/type', '/priority']],
    ['a number as text', 'POST', '/tasks', { type: 'a', timeout: '300' }, ['/timeout']],
    ['null where it may not be', 'POST', '/tasks', { type: 'a', timeout: null }, ['/timeout']],
    ['a fraction of a second', 'POST', '/tasks', { type: 'a', timeout: 1.5 }, ['/timeout']],
    ['a timeout of nothing', 'POST', '/tasks', { type: 'a', timeout: 0 }, ['/timeout']],
    ['a timeout beyond 30 days', 'POST', '/tasks', { type: 'a', timeout: 2_592_001 }, ['/timeout']],
    ['an attempt beyond int4', 'PATCH', '/tasks/x', { status: 'completed', attempt: 2 ** 31 }, ['/attempt']],
    ['progress beyond 100', 'PATCH', '/tasks/x', { progress: 100.1 }, ['/progress']],
    ['an id that is a path', 'POST', '/tasks', { type: 'a', id: '../x' }, ['/id']],
    ['an id of 129 characters', 'POST', '/tasks', { type: 'a', id: 'a'.repeat(129) }, ['/id']],
    ['an empty id', 'POST', '/tasks', { type: 'a', id: '' }, ['/id']],
    ['a type with dots', 'POST', '/tasks', { type: 'a.b' }, ['/type']],
    ['a text as list', 'POST', '/tasks', { type: 'a', dependencies: 'b' }, ['/dependencies']],
    ['a list as object', 'POST', '/tasks', { type: 'a', input_data: [] }, ['/input_data']],
    [
      'a nested fault',
      'POST',
      '/tasks',
      { type: 'a', retry_policy: { max_attempts: 101, tries: 1 } },
      ['/retry_policy/max_attempts', '/retry_policy/tries'],
    ],
    ['no items', 'POST', '/tasks/batch', { tasks: [] }, ['/tasks']],
    [
      'a fault in an item',
      'POST',
      '/tasks/batch',
      { tasks: [{ type: 'a' }, { type: 7 }] },
      ['/tasks/1/type'],
    ],
    ['no stages', 'POST', '/workflows', { name: 'a', stages: [] }, ['/stages']],
    [
      'a control character in a name',
      'POST',
      '/workflows',
      { name: 'a', stages: [{ ...stage, name: 'a\nb' }] },
      ['/stages/0/name'],
    ],
    [
      'a day that does not exist',
      'POST',
      '/tasks',
      { type: 'a', not_before: '2025-02-30T00:00:00Z' },
      ['/not_before'],
    ],
    [
      'a time without an offset',
      'POST',
      '/tasks',
      { type: 'a', not_before: '2025-02-03T00:00:00' },
      ['/not_before'],
    ],
    [
      'an offset that Postgres does not know',
      'POST',
      '/tasks',
      { type: 'a', not_before: '2025-02-03T00:00:00+17:37' },
      ['/not_before'],
    ],
    ['the year 0', 'POST', '/tasks', { type: 'a', not_before: '0000-01-01T00:00:00Z' }, ['/not_before']],
    [
      'a year of five digits',
      'POST',
      '/tasks',
      { type: 'a', not_before: '+010000-01-01T00:00:00Z' },
      ['/not_before'],
    ],
    [
      'a time that is of the year 10000 in UTC',
      'POST',
      '/tasks',
      { type: 'a', not_before: '9999-12-31T23:59:59-01:00' },
      ['/not_before'],
    ],
    [
      'a URL with a space',
      'POST',
      '/agents/register',
      { id: 'a', type: 'a', health_check_url: 'http://a b' },
      ['/health_check_url'],
    ],
    [
      'a URL of a file',
      'POST',
      '/agents/register',
      { id: 'a', type: 'a', health_check_url: 'file:///etc' },
      ['/health_check_url'],
    ],
    ['101 tasks to claim', 'POST', '/agents/x/claim', { max_tasks: 101 }, ['/max_tasks']],
    ['a wait of a minute', 'POST', '/agents/x/claim', { wait_ms: 60_000 }, ['/wait_ms']],
    ['a scope that does not exist', 'POST', '/auth/clients', { name: 'a', scope: 'tasks:burn' }, ['/scope']],
  ])('%s', async (_, method, path, body, places) => {
    const answer = await api.call(method, path, body);
    expect(refusalIn(answer)).toEqual([400, 'VALIDATION_FAILED']);
    expect(pathsOf(answer).toSorted()).toEqual(places.toSorted());
  });

  it('counts characters, not the halves that JavaScript makes of some', async () => {
    const named = (characters: number): Promise<Answer> =>
      api.call('POST', '/workflows', { name: '🙂'.repeat(characters), stages: [stage] });
    expect((await named(256)).status).toBe(201);
    expect(pathsOf(await named(257))).toEqual(['/name']);
  });

  it('takes the last time that there is, and shows it as it was meant', async () => {
    const { body } = await api.call('POST', '/tasks', { type: 'a', not_before: '9999-12-31T23:59:59.999Z' });
    expect(body['not_before']).toBe('9999-12-31T23:59:59.999Z');
  });
});

describe('a query is refused with 400 and the place of each fault', () => {
  const cursor = (text: string): string => Buffer.from(text).toString('base64url');
  it.each<[string, string, string]>([
    ['an unknown filter', '/tasks?colour=red', '/colour'],
    ['__proto__', '/tasks?__proto__=a', '/__proto__'],
    ['__proto__ twice', '/tasks?__proto__=a&__proto__=b', '/__proto__'],
    ['a limit of 0', '/tasks?limit=0', '/limit'],
    ['a limit of 201', '/agents?limit=201', '/limit'],
    ['a limit beyond all numbers', `/agents?limit=${'9'.repeat(400)}`, '/limit'],
    ['a limit in hex', '/workflows?limit=0x10', '/limit'],
    ['two limits', '/tasks?limit=1&limit=2', '/limit'],
    ['an empty limit', '/tasks?limit=', '/limit'],
    ['an unreadable cursor', '/tasks?cursor=abc', '/cursor'],
    ['an empty cursor', '/tasks?cursor=', '/cursor'],
    ['a cursor of 5,000 characters', `/agents?cursor=${'a'.repeat(5000)}`, '/cursor'],
    [
      'a cursor that somebody made',
      `/workflows?cursor=${cursor("2025-01-15T12:00:00Z a' OR 1=1")}`,
      '/cursor',
    ],
    ['a cursor of another time', `/tasks?cursor=${cursor('999999-01-01T00:00:00Z a')}`, '/cursor'],
    ['a cursor of the log where one of a list belongs', `/tasks?cursor=${cursor('1.abc.7')}`, '/cursor'],
    [
      'a cursor of a list where one of the log belongs',
      `/events?after=${cursor('2025-01-15T12:00:00Z a')}`,
      '/after',
    ],
    ['a position beyond bigint', `/events?after=${cursor(`1.abc.${'9'.repeat(30)}`)}`, '/after'],
    ['a date without a time', '/tasks?created_after=2025-01-15', '/created_after'],
    ['an offset beyond all', '/agents?created_before=2025-01-15T00:00:00-18:00', '/created_before'],
    ['a date beyond Postgres', '/workflows?created_before=999999-01-15T00:00:00Z', '/created_before'],
    ['an unknown status', '/tasks?status=asleep', '/status'],
    ['a filter of 10,000 characters', `/agents?capability=${'a'.repeat(10_000)}`, '/capability'],
    ['a filter with NUL', '/tasks?correlation_id=%00', '/correlation_id'],
    ['a project that is no id', '/tasks?project_id=a%2Fb', '/project_id'],
    ['two projects', '/tasks?project_id=a&project_id=b', '/project_id'],
    ['a project that is no id, where no other field is', '/tasks/x?project_id=a%20b', '/project_id'],
    ['a topic with a hole', '/events?topics=a..b', '/topics'],
    ['51 topics', `/events?topics=${'a,'.repeat(50)}a`, '/topics'],
    ['a wait of a minute', '/events?wait_ms=60000', '/wait_ms'],
  ])('%s', async (_, path, place) => {
    const answer = await api.call('GET', path);
    expect(refusalIn(answer)).toEqual([400, 'VALIDATION_FAILED']);
    expect(pathsOf(answer)).toEqual([place]);
  });
});

describe('a header', () => {
  const get = async (headers: Record<string, string>, path = '/tasks'): Promise<Answer> =>
    (await app.http('GET', `/api/v1${path}`, { token: bound, headers })) as Answer;

  it.each(['', 'a b', '../..', 'a'.repeat(129), '*'])('X-Project-Id: %j is refused', async (project) => {
    const answer = await get({ 'x-project-id': project });
    expect(refusalIn(answer)).toEqual([400, 'VALIDATION_FAILED']);
    expect(pathsOf(answer)).toEqual(['/project_id']);
    // Naming the project elsewhere, too, does not make it better.
    expect(refusalIn(await get({ 'x-project-id': project }, `/tasks?project_id=${PROJECT}`))).toEqual([
      400,
      'VALIDATION_FAILED',
    ]);
  });

  it.each(['Bearer', 'Bearer a b', 'Basic YTpi', 'Bearer a.b.c', `Bearer ${'a'.repeat(8000)}`])(
    'Authorization: %.20j is 401',
    async (authorization) => {
      const answer = (await app.http('GET', '/api/v1/tasks', { headers: { authorization } })) as Answer;
      expect(refusalIn(answer)).toEqual([401, 'AUTHENTICATION_FAILED']);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
    },
  );

  it('X-Correlation-Id that is none is replaced, in what is made as in the answer', async () => {
    for (const [sent, isTaken] of [
      ['mine', true],
      ['two words', false],
      ['a'.repeat(129), false],
    ] as const) {
      const answer = (await app.http('POST', '/api/v1/tasks', {
        token: bound,
        headers: { 'x-correlation-id': sent },
        body: { type: 'a' },
      })) as Answer;
      expect(answer.status).toBe(201);
      expect([answer.headers['x-correlation-id'] === sent, answer.body['correlation_id'] === sent]).toEqual([
        isTaken,
        isTaken,
      ]);
    }
  });
});

describe('refusals come in the order 401, 403 by scope, 400, 404, 403 by ownership, 409', () => {
  const badBody = { colour: 'red' };
  let reader: string;
  let member: Member;
  let other: Member;

  beforeAll(async () => {
    reader = await api.client(PROJECT, 'agents:read');
    [member, other] = [await api.member(), await api.member()];
    // Its second session.
    await api.register({ id: member.id, type: member.type });
    await api.call('POST', '/tasks', { id: 'taken', type: 'a', project_id: PROJECT });
  });

  it.each<[string, () => Promise<Answer>, number, string]>([
    ['no token, bad body', () => api.call('POST', '/tasks', badBody, 'x'), 401, 'AUTHENTICATION_FAILED'],
    ['no scope, bad body', () => api.call('POST', '/tasks', badBody, reader), 403, 'FORBIDDEN'],
    ['bad body, unknown task', () => api.call('PATCH', '/tasks/nobody', badBody), 400, 'VALIDATION_FAILED'],
    [
      'a body that says nothing, unknown task',
      () => api.call('PATCH', '/tasks/nobody', {}),
      400,
      'VALIDATION_FAILED',
    ],
    [
      'an edit in a report, unknown task',
      () => api.call('PATCH', '/tasks/nobody', { progress: 1, priority: 'low' }),
      400,
      'VALIDATION_FAILED',
    ],
    [
      'bad cursor, a project of others',
      () => api.call('GET', '/tasks?project_id=proj-b&cursor=x', undefined, bound),
      400,
      'VALIDATION_FAILED',
    ],
    [
      'bad cursor of the log, a project of others',
      () => api.call('GET', '/events?project_id=proj-b&after=x', undefined, bound),
      400,
      'VALIDATION_FAILED',
    ],
    [
      'a project of others',
      () => api.call('GET', '/tasks?project_id=proj-b', undefined, bound),
      404,
      'NOT_FOUND',
    ],
    ['bad body, another’s agent', () => api.beat(other.id, badBody, member.token), 400, 'VALIDATION_FAILED'],
    [
      'reports for an agent that does not exist',
      () =>
        api.call('POST', `/agents/nobody/reports?project_id=${PROJECT}`, { reports: [{ task_id: 'taken' }] }),
      404,
      'NOT_FOUND',
    ],
    ['another’s agent that does not exist', () => api.beat('nobody', {}, member.token), 404, 'NOT_FOUND'],
    [
      'another’s agent, an old session',
      () => api.beat(other.id, { session_epoch: 1 }, member.token),
      403,
      'FORBIDDEN',
    ],
    ['an old session', () => api.beat(member.id, { session_epoch: 1 }, member.token), 409, 'STALE_SESSION'],
    [
      'a bad body under an id that is taken',
      () => api.call('POST', '/tasks', { id: 'taken', type: 'a', ...badBody }, bound),
      400,
      'VALIDATION_FAILED',
    ],
    [
      'another body under an id that is taken',
      () => api.call('POST', '/tasks', { id: 'taken', type: 'b' }, bound),
      409,
      'CONFLICT',
    ],
  ])('%s', async (_, call, status, code) => {
    expect(refusalIn(await call())).toEqual([status, code]);
  });
});

describe('a refusal as RFC 9457 has it', () => {
  it.each<[string, string, string, object | undefined, number]>([
    ['a validation', 'POST', '/tasks', { type: 7 }, 400],
    ['an unknown task', 'GET', '/tasks/nobody', undefined, 404],
    ['a wrong method', 'PUT', '/tasks', undefined, 405],
  ])('tells the facts of %s', async (_, method, path, body, status) => {
    const call = { token: await app.adminToken(), body, headers: { accept: 'application/problem+json' } };
    const answer = await app.http(method, `/api/v1${path}`, call);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.body).toMatchObject({
      type: expect.stringMatching(/^urn:parley:error:[A-Z_]+$/),
      title: expect.any(String),
      status,
      detail: expect.any(String),
      instance: `/api/v1${path}`,
      correlation_id: answer.headers['x-correlation-id'],
    });
  });
});
