import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { rowKey } from '../../src/shared/ids.js';
import { AgentsApi, type Answer, codeOf, idsOf, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { TestEventSource } from '../support/event-source.js';
import { writeEvents } from '../support/log-writes.js';
import { type Handshake, OpenSockets, TestSocket } from '../support/sockets.js';
import { until } from '../support/wait-for.js';

interface Owner extends Member {
  readonly project: string;
}

describe('a mailbox', () => {
  let app: TestApp;
  let api: AgentsApi;
  const sockets = new OpenSockets();

  beforeAll(async () => {
    app = await startApp();
    api = await AgentsApi.of(app);
  });
  afterEach(() => sockets.closeAll());
  afterAll(() => app.close());

  const connect = (auth: Handshake): Promise<TestSocket> => sockets.connect(app.url, auth);

  async function owner(project = api.unique('p')): Promise<Owner> {
    return { ...(await api.member(project === '*' ? {} : { project_id: project })), project };
  }

  /** Writes messages that are addressed to an agent, as whatever event types. */
  function write(to: Owner, count: number, type = 'message.sent'): Promise<string[]> {
    const mailbox = rowKey(to.project, to.id);
    const one = { projectId: to.project === '*' ? 'p' : to.project, type, mailbox, isPrivate: true };
    return writeEvents(
      app,
      Array.from({ length: count }, () => one),
    );
  }

  const read = ({ id, token }: Owner, query = '', as = token): Promise<Answer> =>
    api.call('GET', `/agents/${id}/mailbox?${query}`, undefined, as);
  const ack = ({ id, token }: Owner, cursor: unknown, as = token): Promise<Answer> =>
    api.call('POST', `/agents/${id}/mailbox/ack`, { cursor }, as);
  const cursorsOf = ({ body }: Answer): string[] =>
    (body['items'] as { cursor: string }[]).map(({ cursor }) => cursor);

  describe('over HTTP', () => {
    it('is read from the acknowledged position, or from a cursor', async () => {
      const agent = await owner();
      const ids = await write(agent, 5);
      const page = await read(agent, 'limit=2');
      expect(idsOf(page)).toEqual(ids.slice(0, 2));
      expect(idsOf(await read(agent, `after=${String(page.body['next_cursor'])}`))).toEqual(ids.slice(2));
      // What was not acknowledged comes again.
      expect(idsOf(await read(agent))).toEqual(ids);
      const [, , third] = cursorsOf(await read(agent));
      expect(await ack(agent, third)).toMatchObject({ status: 200, body: { cursor: third } });
      expect(idsOf(await read(agent))).toEqual(ids.slice(3));
      expect(idsOf(await read(agent, `after=${String(page.body['next_cursor'])}`))).toEqual(ids.slice(2));
    });

    it('waits for the next message', async () => {
      const agent = await owner();
      const waiting = read(agent, 'wait_ms=20000');
      const [id] = await write(agent, 1);
      expect(idsOf(await waiting)).toEqual([id]);
    });

    it('is acknowledged forwards only, and to the end of the log at most', async () => {
      const agent = await owner();
      await write(agent, 3);
      const [first, , third] = cursorsOf(await read(agent));
      await ack(agent, third);
      expect((await ack(agent, first)).body).toEqual({ cursor: third });
      const [version, epoch] = Buffer.from(String(third), 'base64url').toString().split('.');
      const future = Buffer.from(`${version}.${epoch}.999999999999`).toString('base64url');
      expect((await ack(agent, future)).status).toBe(200);
      const ids = await write(agent, 1);
      expect(idsOf(await read(agent))).toEqual(ids);
    });

    it.each([
      ['nonsense', 'nonsense'],
      ['a number', 7],
      ['nothing', undefined],
      ['a cursor of another log', Buffer.from('1.0123456789ab.5').toString('base64url')],
    ])('refuses %s as a cursor', async (_what, cursor) => {
      const agent = await owner();
      const answer = await ack(agent, cursor);
      expect(answer).toMatchObject({
        status: 400,
        body: { error: { details: { errors: [{ path: '/cursor' }] } } },
      });
    });

    it('is acknowledged by many at once in few statements, each with its own answer', async () => {
      const agents = await Promise.all(Array.from({ length: 20 }, () => owner()));
      const cursors = await Promise.all(
        agents.map(async (agent) => {
          await write(agent, 10);
          return cursorsOf(await read(agent));
        }),
      );
      const events = await api.query<{ count: number }>('SELECT count(*) AS count FROM events');
      const answers = await Promise.all(
        agents.flatMap((agent, n) => (cursors[n] ?? []).map((cursor) => ack(agent, cursor))),
      );
      expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
      for (const [n, agent] of agents.entries())
        expect((await ack(agent, cursors[n]?.[0])).body).toEqual({ cursor: cursors[n]?.at(-1) });
      // It is no event.
      expect(await api.query('SELECT count(*) AS count FROM events')).toEqual(events);
    });

    it('is opened by its agent, or by who may write agents, and does not exist elsewhere', async () => {
      const [agent, neighbour, stranger] = [await owner('here'), await owner('here'), await owner('there')];
      await write(agent, 1);
      const outcome = async (token: string): Promise<unknown[]> => {
        const answers = [
          await read(agent, '', token),
          await ack(agent, cursorsOf(await read(agent))[0], token),
        ];
        return answers.map((answer) => codeOf(answer) ?? answer.status);
      };
      const both = (one: unknown): unknown[] => [one, one];
      expect(await outcome(neighbour.token)).toEqual(both('FORBIDDEN'));
      expect(await outcome(stranger.token)).toEqual(both('NOT_FOUND'));
      expect(await outcome(await api.client('here', 'events:read'))).toEqual(both('FORBIDDEN'));
      expect(await outcome(await api.client('here', 'agents:write'))).toEqual(both('FORBIDDEN'));
      expect(await outcome(await api.client('there', 'events:read agents:write'))).toEqual(both('NOT_FOUND'));
      expect(await outcome(await api.client('here', 'events:read agents:write'))).toEqual(both(200));
      expect(codeOf(await api.call('GET', '/agents/nobody/mailbox', undefined, agent.token))).toBe(
        'NOT_FOUND',
      );
    });

    it('of an agent of every project is not that of a project’s agent of the same id', async () => {
      const id = api.unique('twin');
      const make = async (more: object): Promise<Owner> => {
        const { body } = await api.register({ id, type: 'twin', ...more });
        const credentials = body['credentials'] as Member['credentials'];
        const token = await app.token(credentials.client_id, credentials.client_secret);
        return { id, type: 'twin', token, credentials, project: String(body['project_id']) };
      };
      const [star, bound] = [await make({}), await make({ project_id: 'twins' })];
      expect(star.project).toBe('*');
      const [toStar, toBound] = [await write(star, 1), await write(bound, 1)];
      expect(idsOf(await read(star))).toEqual(toStar);
      expect(idsOf(await read(bound))).toEqual(toBound);
      expect(codeOf(await read(star, '', await app.adminToken()))).toBe('CONFLICT');
    });
  });

  describe('over a socket', () => {
    it('comes at connect from the acknowledged position, without a subscription, then live', async () => {
      const agent = await owner();
      const ids = await write(agent, 4);
      const [first] = cursorsOf(await read(agent));
      await ack(agent, first);
      const socket = await connect({ token: agent.token });
      await until(() => socket.bodiesOf('replay_complete').length === 1);
      expect(socket.bodiesOf('replay_complete')).toEqual([{ mailbox: agent.id, cursor: expect.any(String) }]);
      expect(socket.ids).toEqual(ids.slice(1));
      const live = await write(agent, 2);
      await socket.has(5);
      expect(socket.ids).toEqual([...ids.slice(1), ...live]);
    });

    it('is acknowledged there', async () => {
      const agent = await owner();
      const ids = await write(agent, 3);
      const socket = await connect({ token: agent.token });
      await socket.has(3);
      const cursor = socket.events[1]?.cursor;
      expect(await socket.ask('ack', { cursor })).toEqual({ ok: true, data: { cursor } });
      socket.close();
      const again = await connect({ token: agent.token });
      await again.has(1);
      expect(again.ids).toEqual(ids.slice(2));
      expect(await again.ask('ack', { cursor: 'x' })).toMatchObject({ error: { code: 'VALIDATION_FAILED' } });
      const client = await connect({ token: await api.client(agent.project, 'events:read') });
      expect(await client.ask('ack', { cursor })).toMatchObject({ error: { code: 'FORBIDDEN' } });
    });

    it('waits while the past of topics is told, so that the newest cursor is one to resume from', async () => {
      const agent = await owner();
      const begin = String((await read(agent)).body['next_cursor']);
      const topics = Array.from({ length: 1_200 }, () => ({ projectId: agent.project, type: 'past' }));
      const past = await writeEvents(app, topics);
      const letters = await write(agent, 2);
      const socket = await connect({ token: agent.token });
      await socket.has(2);
      // Live, it is held back by the replay that the client asks for now.
      await socket.do('subscribe', { topics: ['past'], after: begin });
      const late = await write(agent, 1);
      await socket.has(1_203);
      expect(socket.ids).toEqual([...letters, ...past, ...late]);
    });
  });

  describe('is private', () => {
    it('is told to its owner alone, whatever the event type, on every channel there is', async () => {
      const [agent, neighbour] = [await owner('secret'), await owner('secret')];
      const reader = await api.client('secret', 'events:read agents:write');
      const admin = await app.adminToken();
      const topics = ['#', 'message.sent', 'task.completed'];
      await api.call('POST', '/subscriptions', { agent_id: neighbour.id, topics }, neighbour.token);
      const stored = await api.call('POST', '/subscriptions', { agent_id: agent.id, topics }, reader);
      const begin = String((await read(agent)).body['next_cursor']);
      const listeners = [
        await connect({ token: neighbour.token, after: begin }),
        await connect({ token: reader }),
        await connect({ token: admin }),
      ];
      for (const socket of listeners) await socket.subscribe(['#']);
      const streams = await Promise.all(
        [reader, admin].map((token) => TestEventSource.open(app.url, { token, query: 'topics=%23' })),
      );
      const polls = [reader, admin].map((token) =>
        api.call('GET', `/events?after=${begin}&wait_ms=20000`, undefined, token),
      );
      const letters = [...(await write(agent, 1, 'task.completed')), ...(await write(agent, 1))];
      const [mark] = await writeEvents(app, [{ projectId: 'secret', type: 'mark' }]);
      // Who is told the mark was told all before it.
      for (const socket of listeners) await until(() => socket.ids.includes(String(mark)));
      for (const stream of streams) await until(() => stream.ids.includes(String(mark)));
      const late = await TestEventSource.open(app.url, { token: reader, query: `after=${begin}` });
      await until(() => late.ids.includes(String(mark)));
      const pages = [
        ...(await Promise.all(polls)),
        await api.call('GET', `/events?after=${begin}`, undefined, reader),
        await api.call('GET', `/events?after=${begin}`, undefined, admin),
        await api.call('GET', `/subscriptions/${String(stored.body['id'])}/events`, undefined, reader),
        await read(neighbour),
      ];
      const told = [
        ...listeners.flatMap((socket) => socket.ids),
        ...[...streams, late].flatMap((stream) => stream.ids),
        ...pages.flatMap(idsOf),
      ];
      expect(told).toContain(mark);
      expect(told.filter((id) => letters.includes(String(id)))).toEqual([]);
      expect(idsOf(await read(agent))).toEqual(letters);
      const own = await connect({ token: agent.token });
      await until(() => letters.every((id) => own.ids.includes(id)));
      for (const stream of [...streams, late]) stream.close();
    });

    it('shares what is public with who subscribed to it, and tells its owner once', async () => {
      const agent = await owner();
      const socket = await connect({ token: agent.token });
      await socket.subscribe(['request.created']);
      await until(() => socket.bodiesOf('replay_complete').length === 1);
      const other = await connect({ token: await api.client(agent.project, 'events:read') });
      await other.subscribe(['request.#']);
      const mailbox = rowKey(agent.project, agent.id);
      const ids = await writeEvents(app, [{ projectId: agent.project, type: 'request.created', mailbox }]);
      const [mark] = await writeEvents(app, [{ projectId: agent.project, type: 'request.created' }]);
      await until(() => socket.ids.at(-1) === mark && other.ids.at(-1) === mark);
      expect(socket.ids).toEqual([...ids, mark]);
      expect(other.ids).toEqual([...ids, mark]);
    });
  });

  it('begins with the registration: what came before is not in it, and there is no gap', async () => {
    const early = await writeEvents(app, [{ mailbox: rowKey('begun', 'later'), projectId: 'begun' }]);
    const { body } = await api.register({ id: 'later', type: 'x', project_id: 'begun' });
    const credentials = body['credentials'] as Member['credentials'];
    const token = await app.token(credentials.client_id, credentials.client_secret);
    const page = await api.call('GET', '/agents/later/mailbox', undefined, token);
    expect(page.body['items']).toEqual([]);
    expect(early).toHaveLength(1);
  });
});
