import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TalkRetention } from '../../src/events/jobs/talk-retention.sweep.js';
import { AgentsApi, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';

describe('retention of what agents say', () => {
  let app: TestApp;
  let api: AgentsApi;
  let agent: Member;

  beforeAll(async () => {
    app = await startApp({ env: { EVENT_RETENTION_DAYS: '10', RATE_LIMIT_PER_MINUTE: '0' } });
    api = await AgentsApi.of(app);
    agent = await api.member();
  });
  afterAll(() => app.close());

  const look = (): Promise<boolean> => app.app.get(TalkRetention, { strict: false }).look();
  const idsIn = async (table: 'requests' | 'messages'): Promise<string[]> =>
    (await api.query<{ id: string }>(`SELECT id FROM ${table} ORDER BY id`)).map(({ id }) => id);

  async function ask(id: string, endedDaysAgo?: number): Promise<void> {
    await api.call('POST', '/requests', { id, type: 'x', target: agent.id });
    if (endedDaysAgo === undefined) return;
    await api.call('POST', `/callbacks/${id}`, { status: 'success' }, agent.token);
    const sql = `UPDATE requests SET ended_at = clock_timestamp() - make_interval(days => $2) WHERE id = $1`;
    await api.query(sql, [id, endedDaysAgo]);
  }

  async function send(id: string, daysAgo: number, more: object = {}): Promise<void> {
    await api.call('POST', '/messages', { id, target_agent: agent.id, ...more });
    const sql = `UPDATE messages SET created_at = clock_timestamp() - make_interval(days => $2) WHERE id = $1`;
    await api.query(sql, [id, daysAgo]);
  }

  it('drops requests that ended before it, and keeps those that wait, however old they are', async () => {
    await ask('old', 11);
    await ask('young', 9);
    await ask('pending');
    await api.query(`UPDATE requests SET created_at = created_at - interval '100 days' WHERE id = 'pending'`);
    expect(await look()).toBe(false);
    expect(await idsIn('requests')).toEqual(['pending', 'young']);
  });

  it('drops messages when the log has surely lost them, and their time to live is over', async () => {
    await send('gone', 21);
    await send('in-the-log', 19);
    await send('alive', 21, { ttl: 2_592_000 });
    expect(await look()).toBe(false);
    expect(await idsIn('messages')).toEqual(['alive', 'in-the-log']);
  });

  it('goes in small steps, and says when there is more', async () => {
    const rows = `
      INSERT INTO messages (id, project_id, body_hash, mailbox, target_agent, correlation_id, created_at)
      SELECT 'm' || n, 'p', '', 'p a', 'a', 'c', clock_timestamp() - interval '30 days' FROM generate_series(1, 501) n`;
    await api.query(rows);
    expect([await look(), await look()]).toEqual([true, false]);
    expect((await idsIn('messages')).filter((id) => id.startsWith('m'))).toEqual([]);
  });

  it('tells who posts a message again, of which only the id is left, to take a new one', async () => {
    const message = { id: 'again', target_agent: agent.id };
    await api.call('POST', '/messages', message);
    await api.query(`DELETE FROM events WHERE aggregate_id = 'again'`);
    const { status, body } = await api.call('POST', '/messages', message);
    expect([status, body['error']]).toEqual([409, expect.objectContaining({ code: 'CONFLICT' })]);
  });
});
