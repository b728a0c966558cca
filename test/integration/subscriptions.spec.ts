import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentsApi, type Answer, codeOf, idsOf, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { writeEvents } from '../support/log-writes.js';
import { type Handshake, OpenSockets, TestSocket } from '../support/sockets.js';
import { until } from '../support/wait-for.js';

/** The seed's, as it is printed there. */
const SEED = {
  agent_id: 'orchestrator-001',
  topics: ['task.*.completed', 'workflow.stage_completed', 'system.alerts'],
  filters: { priority: ['high', 'critical'], project_id: 'proj-456' },
};

describe('stored subscriptions', () => {
  let database: TestDatabase;
  let app: TestApp;
  let other: TestApp;
  let api: AgentsApi;
  const sockets = new OpenSockets();

  beforeAll(async () => {
    database = await createDatabase();
    // It says that there may be others: instances tell each other through it.
    const env = { DATABASE_URL: database.url };
    [app, other] = await Promise.all([startApp({ database, env }), startApp({ database, env })]);
    api = await AgentsApi.of(app);
  });
  afterEach(() => sockets.closeAll());
  afterAll(async () => {
    await other.close();
    await app.close();
    await database.drop();
  });

  const connect = (auth: Handshake, url = app.url): Promise<TestSocket> => sockets.connect(url, auth);

  const subscribe = (body: object, token?: string): Promise<Answer> =>
    api.call('POST', '/subscriptions', body, token);

  /** A new agent of a project of its own; of `*`: of every project. */
  async function agent(project = api.unique('p')): Promise<Member & { project: string }> {
    return { ...(await api.member(project === '*' ? {} : { project_id: project })), project };
  }

  it('take the seed’s body as printed, and tell its agent what the seed means', async () => {
    const made = await api.register({ id: SEED.agent_id, type: 'orchestration', project_id: 'proj-456' });
    const { client_id, client_secret } = made.body['credentials'] as Record<string, string>;
    const token = await app.token(String(client_id), String(client_secret));
    const answer = await subscribe(SEED, token);
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      ...SEED,
      id: expect.any(String),
      project_id: 'proj-456',
      webhook_url: null,
      cursor: expect.any(String),
      disabled_at: null,
      disabled_reason: null,
      created_at: expect.any(String),
    });
    expect(answer.headers['location']).toBe(`/api/v1/subscriptions/${String(answer.body['id'])}`);
    const socket = await connect({ token });
    await until(async () => {
      await writeEvents(app, [
        { projectId: 'proj-456', type: 'task.completed', topic: 'task.code_generation.completed' },
        { projectId: 'proj-456', type: 'system.alert', topic: 'system.alerts', payload: { priority: 'low' } },
        { projectId: 'q', type: 'system.alert', topic: 'system.alerts', payload: { priority: 'high' } },
        {
          projectId: 'proj-456',
          type: 'task.completed',
          topic: 'task.code_generation.completed',
          payload: { priority: 'high' },
        },
      ]);
      return socket.events.length > 0;
    });
    expect(
      new Set(socket.events.map(({ payload, project_id }) => [payload['priority'], project_id].join())),
    ).toEqual(new Set(['high,proj-456']));
    // Another admin may do the same, naming no project: the filter picks it.
    expect(await subscribe(SEED)).toMatchObject({ status: 201, body: { project_id: 'proj-456' } });
  });

  it.each(['this', 'the other'])(
    'reach the sockets that are connected to %s instance within a second, and end as soon',
    async (which) => {
      const { id, token, project } = await agent();
      const socket = await connect({ token }, which === 'this' ? app.url : other.url);
      const begun = performance.now();
      const { body } = await subscribe({ agent_id: id, topics: ['news'] }, token);
      const [first] = await writeEvents(app, [{ projectId: project, type: 'news' }]);
      await socket.has(1);
      expect(performance.now() - begun).toBeLessThan(1_000);
      // Nothing that was written since it was made is missed, though it came before the socket's turn.
      expect(socket.ids).toEqual([first]);
      expect(
        (await api.call('DELETE', `/subscriptions/${String(body['id'])}`, undefined, token)).status,
      ).toBe(204);
      const ended = performance.now();
      await until(async () => {
        const before = socket.events.length;
        await writeEvents(app, [{ projectId: project, type: 'news' }]);
        await api.call('GET', '/events?limit=1');
        await new Promise((resolve) => setTimeout(resolve, 50));
        return socket.events.length === before;
      });
      expect(performance.now() - ended).toBeLessThan(1_500);
    },
  );

  it('begin at connect where the handshake says, in one order, and say when they have caught up', async () => {
    const { id, token, project } = await agent();
    const begin = String(
      (await api.call('GET', '/events?limit=1', undefined, token)).headers['x-event-cursor'],
    );
    const ids = await writeEvents(app, [
      { projectId: project, type: 'a' },
      { projectId: project, type: 'b' },
      { projectId: project, type: 'c' },
      { projectId: project, type: 'a' },
    ]);
    for (const topic of ['a', 'b']) await subscribe({ agent_id: id, topics: [topic, 'ab'] }, token);
    const replayed = await connect({ token, after: begin });
    const live = await connect({ token });
    await until(() => replayed.bodiesOf('replay_complete').length === 2);
    expect(replayed.ids).toEqual([ids[0], ids[1], ids[3]]);
    expect(replayed.bodiesOf('replay_complete')).toEqual([
      { subscription_ids: [expect.any(String), expect.any(String)], cursor: expect.any(String) },
      { mailbox: id, cursor: expect.any(String) },
    ]);
    // Both of its subscriptions want it, and it is told once.
    const [both] = await writeEvents(app, [{ projectId: project, type: 'ab' }]);
    await until(() => replayed.ids.at(-1) === both);
    await live.has(1);
    expect(replayed.events).toHaveLength(4);
    expect(live.ids).toEqual([both]);
  });

  it('lose nothing of what is told between the connect and their being read', async () => {
    const { id, token, project } = await agent();
    await subscribe({ agent_id: id, topics: ['#'] }, token);
    for (let round = 0; round < 10; round += 1) {
      const socket = await connect({ token });
      const ids = await writeEvents(app, [{ projectId: project }, { projectId: project }]);
      await socket.has(2);
      expect(socket.ids).toEqual(ids);
      socket.close();
    }
  });

  it('are told to sockets, or sent to their URL', async () => {
    const { id, token, project } = await agent();
    const webhook_url = 'https://example.com/hook';
    expect(await subscribe({ agent_id: id, topics: ['hooked'], webhook_url }, token)).toMatchObject({
      status: 201,
      body: { webhook_url },
    });
    await subscribe({ agent_id: id, topics: ['told'] }, token);
    const socket = await connect({ token });
    const [, told] = await writeEvents(app, [
      { projectId: project, type: 'hooked' },
      { projectId: project, type: 'told' },
    ]);
    await socket.has(1);
    expect(socket.ids).toEqual([told]);
  });

  describe('without a socket', () => {
    it('are read by cursor, from where they were made', async () => {
      const { id, token, project } = await agent();
      await writeEvents(app, [{ projectId: project, type: 'wanted' }]);
      const { body } = await subscribe(
        { agent_id: id, topics: ['wanted'], filters: { size: [1, 2] } },
        token,
      );
      const read = (query = ''): Promise<Answer> =>
        api.call('GET', `/subscriptions/${String(body['id'])}/events?${query}`, undefined, token);
      const waiting = read('wait_ms=20000');
      const ids = await writeEvents(app, [
        { projectId: project, type: 'other', payload: { size: 1 } },
        { projectId: project, type: 'wanted', payload: { size: 3 } },
        { projectId: project, type: 'wanted', payload: { size: 1 } },
        { projectId: project, type: 'wanted', payload: { size: 2 } },
      ]);
      await waiting;
      const page = await read('limit=1');
      expect(idsOf(page)).toEqual([ids[2]]);
      const rest = await read(`after=${String(page.body['next_cursor'])}`);
      expect(idsOf(rest)).toEqual([ids[3]]);
      expect(idsOf(await read(`after=${String(rest.body['next_cursor'])}`))).toEqual([]);
    });
  });

  describe('of a project', () => {
    it('see its events only; those of an agent of every project see all, or the one that is named', async () => {
      const bound = await agent();
      const everywhere = await agent('*');
      const star = await api.call(
        'POST',
        '/subscriptions',
        { agent_id: everywhere.id, topics: ['seen'] },
        everywhere.token,
      );
      const named = await subscribe({
        agent_id: everywhere.id,
        topics: ['named'],
        project_id: bound.project,
      });
      const own = await subscribe({ agent_id: bound.id, topics: ['seen'] }, bound.token);
      expect([star, named, own].map(({ body }) => body['project_id'])).toEqual([
        '*',
        bound.project,
        bound.project,
      ]);
      const [all, one] = [await connect({ token: everywhere.token }), await connect({ token: bound.token })];
      const ids = await writeEvents(app, [
        { projectId: 'q', type: 'seen' },
        { projectId: bound.project, type: 'seen' },
        { projectId: 'q', type: 'named' },
        { projectId: bound.project, type: 'named' },
      ]);
      await all.has(3);
      expect(all.ids).toEqual([ids[0], ids[1], ids[3]]);
      expect(one.ids).toEqual([ids[1]]);
    });

    it('do not exist for others, and are an agent’s own affair', async () => {
      const [mine, neighbour, stranger] = [
        await agent('shared'),
        await agent('shared'),
        await agent('elsewhere'),
      ];
      const { body } = await subscribe({ agent_id: mine.id, topics: ['#'] }, mine.token);
      const path = `/subscriptions/${String(body['id'])}`;
      const reader = await api.client('shared', 'events:read');
      const writer = await api.client('shared', 'events:read agents:write');
      const outcome = async (method: string, token: string, at = path): Promise<unknown> => {
        const answer = await api.call(method, at, undefined, token);
        return answer.status < 300 ? answer.status : codeOf(answer);
      };
      expect(await outcome('GET', stranger.token)).toBe('NOT_FOUND');
      expect(await outcome('DELETE', stranger.token)).toBe('NOT_FOUND');
      expect(await outcome('GET', stranger.token, `${path}/events`)).toBe('NOT_FOUND');
      expect(await outcome('GET', neighbour.token)).toBe('FORBIDDEN');
      expect(await outcome('GET', neighbour.token, `${path}/events`)).toBe('FORBIDDEN');
      expect(await outcome('DELETE', neighbour.token)).toBe('FORBIDDEN');
      expect(await outcome('GET', reader)).toBe(200);
      expect(await outcome('DELETE', reader)).toBe('FORBIDDEN');
      expect(await outcome('GET', await api.client('shared', 'tasks:read'))).toBe('FORBIDDEN');
      const list = async (token: string, query = ''): Promise<unknown[]> =>
        idsOf(await api.call('GET', `/subscriptions?${query}`, undefined, token));
      expect(await list(mine.token)).toEqual([body['id']]);
      expect(await list(neighbour.token)).toEqual([]);
      expect(await list(reader, `agent_id=${mine.id}`)).toEqual([body['id']]);
      expect(await list(stranger.token)).toEqual([]);
      expect(await outcome('GET', neighbour.token, `/subscriptions?agent_id=${mine.id}`)).toBe('FORBIDDEN');
      expect(await outcome('DELETE', writer)).toBe(204);
      expect(await outcome('DELETE', writer)).toBe('NOT_FOUND');
    });

    it('are made by the agent itself, or by who may write agents', async () => {
      const [mine, neighbour] = [await agent('makers'), await agent('makers')];
      const by = async (token: string, agent_id: string, more: object = {}): Promise<unknown> => {
        const answer = await subscribe({ agent_id, topics: ['#'], ...more }, token);
        return codeOf(answer) ?? answer.status;
      };
      expect(await by(mine.token, mine.id)).toBe(201);
      expect(await by(neighbour.token, mine.id)).toBe('FORBIDDEN');
      expect(await by(await api.client('makers', 'events:read'), mine.id)).toBe('FORBIDDEN');
      expect(await by(await api.client('makers', 'events:read agents:write'), mine.id)).toBe(201);
      expect(await by(await api.client('others', 'events:read agents:write'), mine.id)).toBe('NOT_FOUND');
      expect(await by(mine.token, 'never-registered')).toBe('NOT_FOUND');
      expect(await by(mine.token, mine.id, { project_id: 'others' })).toBe('FORBIDDEN');
    });
  });

  it('are a hundred at most, also when they come at once', async () => {
    const { id, token } = await agent();
    const answers = await Promise.all(
      Array.from({ length: 110 }, () => subscribe({ agent_id: id, topics: ['#'] }, token)),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(100);
    const refused = answers.filter(({ status }) => status !== 201);
    expect(new Set(refused.map(codeOf))).toEqual(new Set(['CONFLICT']));
    const first = answers.find(({ status }) => status === 201);
    await api.call('DELETE', `/subscriptions/${String(first?.body['id'])}`, undefined, token);
    expect((await subscribe({ agent_id: id, topics: ['#'] }, token)).status).toBe(201);
  });

  it('are listed newest first, in pages', async () => {
    const { id, token } = await agent();
    const made: unknown[] = [];
    for (let n = 0; n < 5; n += 1)
      made.unshift((await subscribe({ agent_id: id, topics: ['#'] }, token)).body['id']);
    const seen: unknown[] = [];
    for (let cursor = ''; ;) {
      const page = await api.call('GET', `/subscriptions?limit=2${cursor}`, undefined, token);
      seen.push(...idsOf(page));
      if (page.body['next_cursor'] === null) break;
      cursor = `&cursor=${page.body['next_cursor'] as string}`;
    }
    expect(seen).toEqual(made);
  });

  it.each([
    ['no agent', { topics: ['#'] }, '/agent_id'],
    ['no topics', { agent_id: 'x' }, '/topics'],
    ['an empty list of topics', { agent_id: 'x', topics: [] }, '/topics'],
    ['what is no pattern', { agent_id: 'x', topics: ['a.#.b'] }, '/topics'],
    ['a URL of another scheme', { agent_id: 'x', topics: ['#'], webhook_url: 'ftp://a.b/c' }, '/webhook_url'],
    [
      'a URL with credentials',
      { agent_id: 'x', topics: ['#'], webhook_url: 'https://u:p@a.b' },
      '/webhook_url',
    ],
    ['very many filters', { agent_id: 'x', topics: ['#'], filters: many(51) }, '/filters'],
    [
      'very many values',
      { agent_id: 'x', topics: ['#'], filters: { 'a/b': Array(201).fill(1) } },
      '/filters/a~1b',
    ],
    ['an unknown field', { agent_id: 'x', topics: ['#'], colour: 1 }, '/colour'],
  ])('are refused with the place of what is wrong: %s', async (_what, body, path) => {
    const answer = await subscribe(body);
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'VALIDATION_FAILED' } } });
    const { details } = answer.body['error'] as { details: { errors: { path: string }[] } };
    expect(details.errors.map((one) => one.path)).toEqual([path]);
  });

  it('are made once for one Idempotency-Key', async () => {
    const { id, token } = await agent();
    const post = (): Promise<unknown> =>
      app
        .http('POST', '/api/v1/subscriptions', {
          token,
          body: { agent_id: id, topics: ['#'] },
          headers: { 'idempotency-key': 'once' },
        })
        .then(({ body }) => body);
    expect(await post()).toEqual(await post());
    expect(idsOf(await api.call('GET', '/subscriptions', undefined, token))).toHaveLength(1);
  });
});

function many(count: number): object {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`f${n}`, n]));
}
