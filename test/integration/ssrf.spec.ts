import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Egress } from '../../src/platform/egress/egress.port.js';
import { UndiciEgress } from '../../src/platform/egress/egress.undici.js';
import { AgentsApi, type Answer } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { ATTACKS, Canary, resolveAttack } from '../support/attacks.js';
import { until } from '../support/wait-for.js';

/** A subscription of each needs an agent that may have it. */
const PER_AGENT = 100;

let app: TestApp;
let api: AgentsApi;
let canary: Canary;
let urls: readonly string[];

beforeAll(async () => {
  canary = await Canary.start();
  urls = ATTACKS.map((url) => url.replace('PORT', String(canary.port)));
  app = await startApp({
    env: { HEARTBEAT_INTERVAL: '1' },
    override: (builder) => builder.overrideProvider(Egress).useValue(new UndiciEgress([], resolveAttack)),
  });
  api = await AgentsApi.of(app);
});
afterAll(async () => {
  await app.close();
  canary.close();
});

/** What was taken, by URL; what was not was refused as a field that is wrong. */
async function taken(post: (url: string) => Promise<Answer>): Promise<string[]> {
  const ids: string[] = [];
  for (const url of urls) {
    const { status, body } = await post(url);
    expect([201, 202, 400]).toContain(status);
    if (status !== 400) ids.push(String(body['id']));
  }
  return ids;
}

/** Waits until each was tried and none has got through. */
function areRefused(kind: string, count: number): Promise<boolean> {
  return until(
    async () => {
      const rows = await api.query<{ status: string; error: string | null }>(
        'SELECT status, last_error AS error FROM deliveries WHERE kind = $1',
        [kind],
      );
      expect(rows).toHaveLength(count);
      expect(rows.filter(({ error }) => error === null)).toEqual([]);
      expect(rows.filter(({ status }) => status === 'delivered')).toEqual([]);
      return true;
    },
    { within: 20_000 },
  );
}

describe(`${ATTACKS.length} URLs that lead into this network`, () => {
  it('as health_check_url reach nothing', async () => {
    const ids = await taken((url) => {
      const id = api.unique('ill');
      return api.register({ id, type: id, health_check_url: url });
    });
    expect(ids.length).toBeGreaterThan(50);
    await until(
      async () => {
        const rows = await api.query(
          `SELECT FROM agents WHERE health_check_url IS NOT NULL AND health_reason IS NULL`,
        );
        expect(rows).toEqual([]);
        return true;
      },
      { within: 20_000 },
    );
    expect(canary.hits).toBe(0);
  });

  it('as webhook_url reach nothing', async () => {
    expect(urls.length).toBeLessThan(PER_AGENT);
    const { id, token } = await api.member();
    const topics = ['task.bait.created'];
    const ids = await taken((url) =>
      api.call('POST', '/subscriptions', { agent_id: id, topics, webhook_url: url }, token),
    );
    expect(ids.length).toBeGreaterThan(50);
    await api.call('POST', '/tasks', { type: 'bait' });
    await areRefused('webhook', ids.length);
    expect(canary.hits).toBe(0);
  });

  it('as callback_url reach nothing', async () => {
    const [asker, target] = [await api.member(), await api.member()];
    const ids = await taken((url) =>
      api.call('POST', '/requests', { type: 'x', target: target.id, callback_url: url }, asker.token),
    );
    expect(ids.length).toBeGreaterThan(50);
    for (const id of ids) {
      const answered = await api.call(
        'POST',
        `/requests/${id}/response`,
        { status: 'success' },
        target.token,
      );
      expect(answered.status).toBe(200);
    }
    await areRefused('callback', ids.length);
    expect(canary.hits).toBe(0);
  });
});
