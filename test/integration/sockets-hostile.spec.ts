import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { rowKey } from '../../src/shared/ids.js';
import { AgentsApi, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { writeEvents } from '../support/log-writes.js';
import { tokenUntil } from '../support/short-tokens.js';
import { OpenSockets, TestSocket } from '../support/sockets.js';
import { until } from '../support/wait-for.js';

/** Messages of a flood, and how many of them come at once: each time more than a client may have unanswered. */
const FLOOD = 12_000;
const AT_ONCE = 1_500;
/** How long an honest client waits for an answer meanwhile, in ms, on a machine that is busy with the flood itself. */
const PATIENCE_MS = 10_000;

/** S6 of PROMISES: each attack is refused or cut, and an honest socket beside it is served all the while. */
describe('a hostile socket', () => {
  let app: TestApp;
  let api: AgentsApi;
  let victim: Member;
  let attacker: Member;
  let honest: TestSocket;
  const sockets = new OpenSockets();

  beforeAll(async () => {
    app = await startApp();
    api = await AgentsApi.of(app);
    victim = await api.member({ project_id: 'victims' });
    attacker = await api.member({ project_id: 'attackers' });
    honest = await TestSocket.connect(app.url, { token: victim.token });
    await honest.subscribe(['honest']);
  });
  afterEach(async () => {
    // Others are unaffected: still connected, told and answered.
    const before = honest.events.length;
    const since = performance.now();
    const [id] = await writeEvents(app, [{ projectId: 'victims', type: 'honest' }]);
    await honest.has(before + 1);
    const isServed = honest.ids.at(-1) === id && performance.now() - since < PATIENCE_MS;
    if (!isServed) throw new Error('the honest socket is not served');
    sockets.closeAll();
  });
  afterAll(async () => {
    honest.close();
    await app.close();
  });

  const connect = (token = attacker.token): Promise<TestSocket> => sockets.connect(app.url, { token });

  it('is told nothing of a foreign project, whatever it subscribes to', async () => {
    const begin = (await api.call('GET', '/events?limit=1')).headers['x-event-cursor'];
    const socket = await connect();
    await socket.subscribe(['#'], { after: begin });
    await socket.subscribe(['#'], { after: begin, filters: { project_id: 'victims' } });
    for (const name of ['join', 'room', 'subscribe_project'])
      expect(await socket.ask(name, 'victims')).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } });
    expect(await socket.ask('subscribe', { topics: ['#'], project_id: 'victims' })).toMatchObject({
      error: { code: 'VALIDATION_FAILED' },
    });
    const mailbox = rowKey('victims', victim.id);
    await writeEvents(app, [
      { projectId: 'victims' },
      { projectId: 'victims', mailbox, isPrivate: true },
      { projectId: 'attackers', type: 'mark' },
    ]);
    await until(() => socket.events.some(({ event_type: type }) => type === 'mark'));
    expect(socket.events.filter(({ project_id: project }) => project !== 'attackers')).toEqual([]);
  });

  it('cannot act as another agent', async () => {
    const neighbour = await api.member({ project_id: 'victims', type: victim.type });
    const task = await api.call('POST', '/tasks', {
      type: victim.type,
      project_id: 'victims',
      assigned_agent: victim.id,
    });
    const id = String(task.body['id']);
    const [stranger, colleague] = [await connect(), await connect(neighbour.token)];
    expect(await stranger.ask('report', { task_id: id, status: 'in_progress' })).toMatchObject({
      error: { code: 'NOT_FOUND' },
    });
    expect(
      await stranger.ask('report', { task_id: id, status: 'in_progress', project_id: 'victims' }),
    ).toMatchObject({
      ok: false,
    });
    expect(await colleague.ask('report', { task_id: id, status: 'in_progress' })).toMatchObject({
      ok: false,
    });
    expect(await colleague.ask('claim', { max_tasks: 1 })).toEqual({ ok: true, data: { items: [] } });
    for (const name of ['claim', 'heartbeat', 'ready', 'ack'])
      expect(await colleague.ask(name, { agent_id: victim.id, capacity: 1, cursor: 'x' })).toMatchObject({
        error: { code: 'VALIDATION_FAILED' },
      });
    expect(await colleague.ask('refresh', { token: victim.token })).toMatchObject({
      error: { code: 'FORBIDDEN' },
    });
    const claimed = await honest.do('claim', { max_tasks: 1 });
    expect(claimed['items']).toMatchObject([{ id, attempt: 1 }]);
  });

  it('floods, and others are answered meanwhile', async () => {
    const socket = await connect();
    let [sent, answered] = [0, 0];
    const waits: number[] = [];
    while (sent < FLOOD) {
      for (let n = 0; n < AT_ONCE; n += 1)
        socket.socket.emit('subscribe', { topics: [n] }, () => (answered += 1));
      sent += AT_ONCE;
      const since = performance.now();
      await honest.do('heartbeat', { status: 'active' });
      waits.push(performance.now() - since);
    }
    expect(Math.max(...waits)).toBeLessThan(PATIENCE_MS);
    await until(() => answered === sent || socket.disconnected, { within: 30_000 });
  });

  it('sends a frame of 1 MB, and is cut', async () => {
    const socket = await connect();
    socket.socket.emit('subscribe', { topics: ['x'.repeat(1_000_000)] });
    await until(() => socket.disconnected);
    expect(socket.disconnected).toMatch(/transport/);
  });

  it('stays beyond its token, and is cut', async () => {
    const claims = {
      client_id: `attackers/${attacker.id}`,
      project_id: 'attackers',
      agent_id: attacker.id,
      scope: 'events:read tasks:execute',
    };
    const exp = Math.floor(Date.now() / 1000) + 2;
    const socket = await connect(await tokenUntil(app, exp, claims));
    await socket.subscribe(['#']);
    await until(() => socket.disconnected);
    expect(Date.now()).toBeLessThan((exp + 3) * 1000);
    expect(socket.bodiesOf('error')).toMatchObject([{ error: { code: 'AUTHENTICATION_FAILED' } }]);
  });
});
