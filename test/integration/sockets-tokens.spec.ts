import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { rowKey } from '../../src/shared/ids.js';
import { AgentsApi } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { writeEvents } from '../support/log-writes.js';
import { tokenUntil } from '../support/short-tokens.js';
import { OpenSockets, refusalOf, TestSocket } from '../support/sockets.js';
import { until } from '../support/wait-for.js';

describe('the token of an open socket', () => {
  let app: TestApp;
  let api: AgentsApi;
  const sockets = new OpenSockets();

  beforeAll(async () => {
    app = await startApp();
    api = await AgentsApi.of(app);
  });
  afterEach(() => sockets.closeAll());
  afterAll(() => app.close());

  const connect = (token: string): Promise<TestSocket> => sockets.connect(app.url, { token });

  interface Client {
    readonly id: string;
    readonly secret: string;
    readonly token: string;
  }
  async function client(scope = 'events:read', project_id = 'p'): Promise<Client> {
    const { body } = await api.call('POST', '/auth/clients', { name: 'x', project_id, scope });
    const [id, secret] = [String(body['client_id']), String(body['client_secret'])];
    return { id, secret, token: await app.token(id, secret) };
  }

  const seconds = (): number => Math.floor(Date.now() / 1000);
  const claimsOf = ({ id }: Client, scope = 'events:read') => ({ client_id: id, project_id: 'p', scope });

  describe('is refreshed', () => {
    it('and what it subscribed to goes on past the end of the old one', async () => {
      const one = await client();
      const exp = seconds() + 2;
      const socket = await connect(await tokenUntil(app, exp, claimsOf(one)));
      await socket.subscribe(['#']);
      const later = seconds() + 600;
      const answer = await socket.ask('refresh', { token: await tokenUntil(app, later, claimsOf(one)) });
      expect(answer).toEqual({ ok: true, data: { expires_at: new Date(later * 1000).toISOString() } });
      await until(() => Date.now() > exp * 1000 + 500);
      const [id] = await writeEvents(app, [{}]);
      await socket.has(1);
      expect(socket.ids).toEqual([id]);
    });

    it('and then ends with the new one', async () => {
      const one = await client();
      const socket = await connect(one.token);
      await socket.do('refresh', { token: await tokenUntil(app, seconds() + 2, claimsOf(one)) });
      await until(() => socket.disconnected);
      expect(socket.bodiesOf('error')).toMatchObject([{ error: { code: 'AUTHENTICATION_FAILED' } }]);
    });

    it('by a token of the same client only', async () => {
      const [one, two] = [await client(), await client()];
      const socket = await connect(one.token);
      expect(await socket.ask('refresh', { token: two.token })).toMatchObject({
        error: { code: 'FORBIDDEN' },
      });
      expect(await socket.ask('refresh', { token: await app.adminToken() })).toMatchObject({
        error: { code: 'FORBIDDEN' },
      });
      for (const token of ['forged', await tokenUntil(app, seconds() - 1, claimsOf(one))])
        expect(await socket.ask('refresh', { token })).toMatchObject({
          error: { code: 'AUTHENTICATION_FAILED' },
        });
      expect(await socket.ask('refresh', {})).toMatchObject({ error: { code: 'VALIDATION_FAILED' } });
      // It goes on with the one it has.
      await socket.subscribe(['#']);
    });

    it('and may do more or less from then on, as the new one says', async () => {
      const one = await client('events:read tasks:execute');
      const token = (scope: string): Promise<string> =>
        tokenUntil(app, seconds() + 600, claimsOf(one, scope));
      const socket = await connect(await token('tasks:execute'));
      expect(await socket.ask('subscribe', { topics: ['#'] })).toMatchObject({
        error: { code: 'FORBIDDEN' },
      });
      await socket.do('refresh', { token: await token('events:read') });
      await socket.subscribe(['#']);
      await writeEvents(app, [{}]);
      await socket.has(1);
      await socket.do('refresh', { token: await token('tasks:execute') });
      await writeEvents(app, [{}]);
      await socket.do('refresh', { token: await token('events:read') });
      await socket.subscribe(['#']);
      const [last] = await writeEvents(app, [{}]);
      await socket.has(2);
      expect(socket.ids.slice(1)).toEqual([last]);
    });

    it('and its mailbox closes and opens with the scope', async () => {
      const agent = await api.member({ project_id: 'p' });
      const claims = { client_id: `p/${agent.id}`, project_id: 'p', agent_id: agent.id };
      const token = (scope: string): Promise<string> =>
        tokenUntil(app, seconds() + 600, { ...claims, scope });
      const write = (): Promise<string[]> =>
        writeEvents(app, [{ mailbox: rowKey('p', agent.id), isPrivate: true }]);
      const socket = await connect(await token('tasks:execute'));
      const [first] = await write();
      await socket.do('refresh', { token: await token('events:read') });
      await socket.has(1);
      await socket.do('refresh', { token: await token('tasks:execute') });
      await until(async () => {
        const before = socket.events.length;
        await write();
        await api.call('GET', '/events?limit=1');
        return socket.events.length === before;
      });
      expect(socket.ids[0]).toBe(first);
    });
  });

  describe('is revoked', () => {
    it('when its client is deleted: all its sockets end within five seconds, and no other does', async () => {
      const [one, two] = [await client(), await client()];
      const its = await Promise.all(Array.from({ length: 50 }, () => connect(one.token)));
      const other = await connect(two.token);
      await api.call('DELETE', `/auth/clients/${one.id}`);
      await until(() => its.every((socket) => socket.disconnected !== undefined), { within: 5_000 });
      for (const socket of its)
        expect(socket.bodiesOf('error')).toMatchObject([{ error: { code: 'AUTHENTICATION_FAILED' } }]);
      expect(await refusalOf(TestSocket.connect(app.url, { token: one.token }))).toMatchObject({
        code: 'AUTHENTICATION_FAILED',
      });
      await other.subscribe(['#']);
    });

    it('when its agent is removed, also if it is registered again', async () => {
      const agent = await api.member({ project_id: 'p' });
      const socket = await connect(agent.token);
      await api.call('DELETE', `/agents/${agent.id}`);
      await api.register({ id: agent.id, type: 'x', project_id: 'p' });
      await until(() => socket.disconnected, { within: 5_000 });
      expect(await refusalOf(TestSocket.connect(app.url, { token: agent.token }))).toMatchObject({
        code: 'AUTHENTICATION_FAILED',
      });
    });

    it('when its client has a new secret; a token for that one is let in, and keeps an open socket', async () => {
      const agent = await api.member({ project_id: 'p' });
      const [careless, careful] = [await connect(agent.token), await connect(agent.token)];
      const { body } = await api.call('POST', `/agents/${agent.id}/rotate-secret`);
      const renewed = await app.token(String(body['client_id']), String(body['client_secret']));
      await careful.do('refresh', { token: renewed });
      await until(() => careless.disconnected, { within: 5_000 });
      expect(await refusalOf(TestSocket.connect(app.url, { token: agent.token }))).toMatchObject({
        code: 'AUTHENTICATION_FAILED',
      });
      await connect(renewed);
      expect(careful.disconnected).toBeUndefined();
      await careful.subscribe(['#']);
    });
  });
});
