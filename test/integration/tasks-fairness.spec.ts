import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentsApi, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { until } from '../support/wait-for.js';

interface Item {
  readonly id: string;
  readonly fairness_key: string | null;
  readonly priority: string;
}

let app: TestApp;
let api: AgentsApi;

beforeAll(async () => {
  app = await startApp();
  api = await AgentsApi.of(app);
});
afterAll(() => app.close());

/** An agent that can hold as much as the test gives it. */
const worker = (more: object = {}): Promise<Member> =>
  api.member({ configuration: { max_concurrent_tasks: 1000 }, ...more });

async function post(count: number, body: object): Promise<string[]> {
  const ids: string[] = [];
  for (let left = count; left > 0; left -= 1000) {
    const tasks = Array.from({ length: Math.min(left, 1000) }, () => body);
    const answer = await api.call('POST', '/tasks/batch', { tasks });
    expect(answer.status).toBe(201);
    ids.push(...(answer.body['items'] as Item[]).map(({ id }) => id));
  }
  return ids;
}

/** What an agent is given by one claim after the other, each of one task. */
async function claims(agent: Member, count: number): Promise<Item[]> {
  const items: Item[] = [];
  for (let i = 0; i < count; i += 1) {
    const answer = await api.call('POST', `/agents/${agent.id}/claim`, { max_tasks: 1 }, agent.token);
    items.push(...(answer.body['items'] as Item[]));
  }
  return items;
}

const keysOf = (items: readonly Item[]): (string | null)[] => items.map((item) => item.fairness_key);
const countOf = (items: readonly Item[], key: string | null): number =>
  keysOf(items).filter((one) => one === key).length;

describe('fairness between keys', () => {
  it('hands ten tasks of one key out within the next 20 claims, though another has 10,000 queued', async () => {
    const agent = await worker();
    await post(10_000, { type: agent.type, fairness_key: 'many' });
    await claims(agent, 30);
    const few = await post(10, { type: agent.type, fairness_key: 'few' });
    const next = await claims(agent, 20);
    expect(next.map(({ id }) => id)).toEqual(expect.arrayContaining(few));
    expect(countOf(next, 'many')).toBe(10);
  }, 60_000);

  it('keeps the order within a key', async () => {
    const agent = await worker();
    const a = await post(5, { type: agent.type, fairness_key: 'a' });
    const b = await post(5, { type: agent.type, fairness_key: 'b' });
    const items = await claims(agent, 10);
    const idsOf = (key: string): string[] =>
      items.filter((item) => item.fairness_key === key).map(({ id }) => id);
    expect(idsOf('a')).toEqual(a);
    expect(idsOf('b')).toEqual(b);
  });

  it('counts tasks without a key as one key more, and shows them without', async () => {
    const agent = await worker();
    await post(40, { type: agent.type, fairness_key: 'one' });
    const old = await post(40, { type: agent.type });
    await post(20, { type: agent.type, fairness_key: 'other' });
    const young = await post(10, { type: agent.type });
    const items = await claims(agent, 110);
    for (const end of [15, 30, 45, 60]) {
      for (const key of ['one', 'other', null]) {
        expect(Math.abs(countOf(items.slice(0, end), key) - end / 3)).toBeLessThanOrEqual(1);
      }
    }
    const keyless = items.filter((item) => item.fairness_key === null).map(({ id }) => id);
    expect(keyless).toEqual([...old, ...young]);
  });

  it('keeps what waited before the first key came in the order of its age, ahead of what came without a key since', async () => {
    const agent = await worker();
    const old = await post(10, { type: agent.type });
    await post(3, { type: agent.type, fairness_key: 'first' });
    const young = await post(5, { type: agent.type });
    const keyless = (await claims(agent, 18)).filter((item) => item.fairness_key === null);
    expect(keyless.map(({ id }) => id)).toEqual([...old, ...young]);
  });

  it('saves nothing up for a key that was idle', async () => {
    const agent = await worker();
    await post(50, { type: agent.type, fairness_key: 'busy' });
    await post(1, { type: agent.type, fairness_key: 'idle' });
    await claims(agent, 40);
    await post(50, { type: agent.type, fairness_key: 'idle' });
    const next = await claims(agent, 20);
    expect(Math.abs(countOf(next, 'idle') - 10)).toBeLessThanOrEqual(2);
  });

  it('gives what was put off its turn when it is due, not before', async () => {
    const agent = await worker();
    const soon = new Date(Date.now() + 1_500).toISOString();
    const later = await post(50, { type: agent.type, fairness_key: 'put-off', not_before: soon });
    await until(async () => {
      const rows = await api.query<{ claimable: boolean }>(
        'SELECT claimable FROM tasks WHERE id = ANY($1::text[])',
        [later],
      );
      return rows.every((row) => row.claimable);
    });
    await post(10, { type: agent.type, fairness_key: 'fresh' });
    expect(countOf(await claims(agent, 20), 'fresh')).toBe(10);
  });

  it('lets a failed attempt pass nobody by: it comes again at the head of the line', async () => {
    const agent = await worker();
    await post(20, { type: agent.type, fairness_key: 'many' });
    const [first] = await claims(agent, 1);
    await claims(agent, 5);
    await api.call('PATCH', `/tasks/${first?.id}`, { status: 'queued' }, agent.token);
    await post(5, { type: agent.type, fairness_key: 'few' });
    const next = await claims(agent, 11);
    expect(countOf(next, 'few')).toBe(5);
    expect(next.findIndex(({ id }) => id === first?.id)).toBeLessThanOrEqual(2);
  });

  it('holds within a priority: the higher one goes first, whatever the key', async () => {
    const agent = await worker();
    await post(5, { type: agent.type, fairness_key: 'a' });
    const [low = ''] = await post(1, { type: agent.type, fairness_key: 'a', priority: 'low' });
    await post(5, { type: agent.type, fairness_key: 'b', priority: 'high' });
    await api.call('PATCH', `/tasks/${low}`, { priority: 'critical' });
    const items = await claims(agent, 11);
    expect(items.map(({ priority }) => priority)).toEqual([
      'critical',
      ...Array.from({ length: 5 }, () => 'high'),
      ...Array.from({ length: 5 }, () => 'normal'),
    ]);
  });

  it('leaves the index for fairness empty where nobody has a key', async () => {
    const agent = await worker();
    const ids = await post(3, { type: agent.type });
    const rows = await api.query<{ n: number }>(
      'SELECT count(*)::int AS n FROM tasks WHERE id = ANY($1::text[]) AND fairness_key IS NOT NULL',
      [ids],
    );
    expect(rows).toEqual([{ n: 0 }]);
  });
});

describe('waiting', () => {
  it('is worth one level of priority every 300 s', async () => {
    const agent = await worker();
    const [old = ''] = await post(1, { type: agent.type, priority: 'low' });
    const [young = ''] = await post(1, { type: agent.type, priority: 'low' });
    await post(3, { type: agent.type, priority: 'normal' });
    await api.query(`UPDATE tasks SET updated_at = updated_at - interval '301 s' WHERE id = $1`, [old]);
    await until(async () => {
      const [row] = await api.query<{ rank: number }>('SELECT rank FROM tasks WHERE id = $1', [old]);
      return row?.rank === 2;
    });
    const items = await claims(agent, 5);
    expect(items.map(({ id }) => id).indexOf(old)).toBe(0);
    expect(items.at(-1)?.id).toBe(young);
    expect(items[0]?.priority).toBe('low');
  });

  it('puts the raised behind the others of its key, where there are keys', async () => {
    const agent = await worker();
    const [old = ''] = await post(1, { type: agent.type, priority: 'low', fairness_key: 'a' });
    await post(3, { type: agent.type, fairness_key: 'a' });
    await api.query(`UPDATE tasks SET updated_at = updated_at - interval '301 s' WHERE id = $1`, [old]);
    await until(async () => {
      const [row] = await api.query<{ rank: number }>('SELECT rank FROM tasks WHERE id = $1', [old]);
      return row?.rank === 2;
    });
    await post(1, { type: agent.type, fairness_key: 'a' });
    expect((await claims(agent, 5)).map(({ id }) => id).indexOf(old)).toBe(3);
  });
});
