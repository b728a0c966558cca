import type { ServerResponse } from 'node:http';
import { expect, it } from '@jest/globals';
import { freePort } from '../support/free-port.js';
import { startServer } from '../support/processes.js';
import { type Received, Receiver, verified } from '../support/receiver.js';
import { until } from '../support/wait-for.js';
import { type Answer, request } from './client.js';
import { ChaosPostgres } from './postgres.js';
import { randomFrom } from './random.mjs';
import { SEED } from './world.js';

const ADMIN = { client_id: 'admin', client_secret: 'the-admin-of-the-chaos' };
const REQUESTS = 40;
const KILLS = 5;
/** The other tries go wrong. */
const GOOD = 1 / 2;
const WITHIN_MS = 300_000;

const TRAP = '/trap';

it('A18: a hostile receiver gets every callback and webhook at least once, signed, under one id, while the server dies', async () => {
  const postgres = await ChaosPostgres.start();
  const receiver = await Receiver.start();
  const env = {
    PORT: String(await freePort()),
    DATABASE_URL: postgres.url,
    PARLEY_ADMIN_CLIENT_ID: ADMIN.client_id,
    PARLEY_ADMIN_CLIENT_SECRET: ADMIN.client_secret,
    RATE_LIMIT_PER_MINUTE: '0',
    EGRESS_ALLOW: '127.0.0.0/8',
    // Nobody falls silent meanwhile.
    HEARTBEAT_INTERVAL: '3600',
    LOG_LEVEL: 'error',
  };
  const url = `http://127.0.0.1:${env.PORT}`;
  let server = await startServer({ env });
  let token = '';
  const call = (method: string, path: string, body?: object, as = token): Promise<Answer> =>
    request(url, as, method, path, body);
  /** Until it is answered: the ids that are chosen here make it one and the same. */
  const insist = (method: string, path: string, body: object, as?: string): Promise<Answer> =>
    until(
      async () => {
        const answer = await call(method, path, body, as);
        return answer.status !== 0 && answer.status !== 503 ? answer : false;
      },
      { within: 60_000 },
    );
  const tokenOf = async (credentials: object): Promise<string> =>
    String(
      (await insist('POST', '/auth/token', { grant_type: 'client_credentials', ...credentials })).body[
        'access_token'
      ],
    );

  try {
    token = await tokenOf(ADMIN);
    const member = async (id: string): Promise<{ token: string; secret: string }> => {
      const { body } = await insist('POST', '/agents/register', { id, type: id, project_id: 'p' });
      const { client_id, client_secret, webhook_secret } = body['credentials'] as Record<string, string>;
      return { token: await tokenOf({ client_id, client_secret }), secret: String(webhook_secret) };
    };
    const asker = await member('asker');
    const target = await member('target');

    const next = randomFrom(SEED);
    const tally = { good: 0, error: 0, silence: 0, reset: 0, redirect: 0 };
    let forged = 0;
    const accepted = new Map<string, number>();
    let kills = 0;
    let restarts = Promise.resolve();
    const crash = (): void => {
      kills += 1;
      const dead = server.kill('SIGKILL');
      restarts = restarts.then(async () => {
        await dead;
        server = await startServer({ env });
      });
    };
    const bodies = new Map<string, Set<string>>();
    const behave = (reply: ServerResponse, _tries: number, received: Received): void => {
      const id = String(received.headers['webhook-id']);
      bodies.set(id, (bodies.get(id) ?? new Set()).add(received.body));
      try {
        verified(received, asker.secret);
      } catch {
        forged += 1;
      }
      const kind = kindOf(next());
      tally[kind] += 1;
      // In the middle of a try that goes well: nobody is there to note it.
      if (kind === 'good' && kills < KILLS && tally.good > (kills * 2 * REQUESTS) / KILLS) crash();
      if (kind === 'good') {
        accepted.set(id, (accepted.get(id) ?? 0) + 1);
        reply.writeHead(200).end();
      } else if (kind === 'error') reply.writeHead(500).end();
      else if (kind === 'reset') reply.socket?.resetAndDestroy();
      else if (kind === 'redirect') reply.writeHead(307, { location: receiver.urlOf(TRAP) }).end();
      // Silence: the server gives up.
    };
    receiver.on('/hooks', behave);

    // The webhook of a subscription to what the callbacks are about.
    const subscribed = await insist(
      'POST',
      '/subscriptions',
      {
        agent_id: 'asker',
        topics: ['request.completed'],
        webhook_url: receiver.on('/events', behave),
      },
      asker.token,
    );
    expect(subscribed.status).toBe(201);

    for (let i = 0; i < REQUESTS; i += 1) {
      const id = `req-${i}`;
      const asked = {
        id,
        type: 'x',
        target: 'target',
        timeout: 3_600,
        callback_url: receiver.urlOf('/hooks'),
      };
      expect((await insist('POST', '/requests', asked, asker.token)).status).toBeLessThan(300);
      const answer = { id: `resp-${i}`, status: 'success', data: { i }, errors: [] };
      expect((await insist('POST', `/requests/${id}/response`, answer, target.token)).status).toBe(200);
    }
    const ledger = async (): Promise<Record<string, unknown>[]> => {
      const { body } = await call('GET', '/deliveries?limit=200&status=delivered&project_id=p');
      return (body['items'] ?? []) as Record<string, unknown>[];
    };
    const deliveries = await until(
      async () => {
        const all = await ledger();
        if (all.length < 2 * REQUESTS) throw new Error(`${all.length} of ${2 * REQUESTS} delivered`);
        return all;
      },
      { within: WITHIN_MS },
    );

    const arrived = receiver.received.filter(({ path }) => path !== TRAP);
    const again = [...accepted.values()].filter((times) => times > 1).length;
    const rows = {
      seed: SEED,
      'deliveries: callbacks / webhooks': `${deliveries.filter(({ kind }) => kind === 'callback').length} / ${deliveries.filter(({ kind }) => kind === 'webhook').length}`,
      'tries that arrived': arrived.length,
      answers: JSON.stringify(tally),
      'server killed': kills,
      'accepted by the receiver more than once': again,
      'signatures that do not verify': forged,
      'redirects followed': receiver.at(TRAP).length,
    };
    process.stdout.write(
      `\nA18\n${Object.entries(rows)
        .map(([key, value]) => `  ${key.padEnd(40)}  ${value}`)
        .join('\n')}\n`,
    );

    await restarts;
    expect(kills).toBe(KILLS);
    expect(again).toBeGreaterThan(0);
    expect(forged).toBe(0);
    expect(deliveries).toHaveLength(2 * REQUESTS);
    expect(deliveries.every(({ webhook_id: id }) => (accepted.get(String(id)) ?? 0) >= 1)).toBe(true);
    expect(bodies.size).toBe(2 * REQUESTS);
    expect([...bodies.values()].every((same) => same.size === 1)).toBe(true);
    expect(receiver.at(TRAP)).toEqual([]);
    expect(Object.values(tally).every((count) => count > 0)).toBe(true);
  } finally {
    await server.kill('SIGKILL');
    await postgres.remove();
    receiver.close();
  }
});

type Kind = 'good' | 'error' | 'silence' | 'reset' | 'redirect';
const BAD: readonly Kind[] = ['error', 'reset', 'redirect', 'silence'];

function kindOf(chance: number): Kind {
  if (chance < GOOD) return 'good';
  return BAD[Math.floor(((chance - GOOD) / (1 - GOOD)) * BAD.length)] ?? 'error';
}
