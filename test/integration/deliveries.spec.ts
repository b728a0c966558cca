import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { insertCallbacks } from '../../src/events/persistence/delivery-rows.js';
import { DeliveryRetention } from '../../src/events/jobs/delivery-retention.sweep.js';
import { DeliverySweep } from '../../src/events/jobs/delivery.sweep.js';
import { NoJobQueue } from '../../src/platform/job-queue/job-queue.off.js';
import { JobQueue } from '../../src/platform/job-queue/job-queue.port.js';
import { newId } from '../../src/platform/new-id.js';
import { codeOf, idsOf, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { DeliveriesApi } from '../support/deliveries-api.js';
import { Receiver, verified } from '../support/receiver.js';
import { until } from '../support/wait-for.js';

const ENV = { EGRESS_ALLOW: '127.0.0.0/8' };

let app: TestApp;
let api: DeliveriesApi;
let receiver: Receiver;
let member: Member;

beforeAll(async () => {
  receiver = await Receiver.start();
  app = await startApp({ env: ENV });
  api = await DeliveriesApi.of(app);
  member = await api.agents.member();
});
afterAll(async () => {
  await app.close();
  receiver.close();
});

/** Subscribes a path to what then happens. */
async function told(path: string, more: object = {}): Promise<string> {
  const type = path.slice(1);
  const id = await api.subscribe(member, receiver.urlOf(path), { topics: [`task.${type}.created`], ...more });
  await api.happen(type);
  return id;
}

/** A callback of a request that needs none of the rest of it. */
async function callBack(requestId: string, url: string, agentId = member.id): Promise<string> {
  const id = newId();
  const body = JSON.stringify({
    id: 'resp-1',
    request_id: requestId,
    status: 'success',
    data: {},
    errors: [],
  });
  const { text, values } = insertCallbacks([
    { id, projectId: 'default', requestId, url, signer: { id: agentId, projectId: '*' }, body },
  ]);
  await api.agents.query(text, values);
  app.app.get(DeliverySweep, { strict: false }).announce(id);
  return id;
}

describe('a webhook', () => {
  it('gets the envelope of what its subscription wants, signed, and nothing else', async () => {
    const id = await api.subscribe(member, receiver.urlOf('/wanted'), {
      topics: ['task.*.created'],
      filters: { priority: ['high'] },
    });
    await api.agents.call('POST', '/tasks', { type: 'wanted', priority: 'low' });
    const { body: task } = await api.agents.call('POST', '/tasks', { type: 'wanted', priority: 'high' });
    const delivery = await api.becomes(id, 'delivered');
    const [received, ...more] = receiver.at('/wanted');
    expect(more).toEqual([]);
    expect(received && verified(received, member.credentials.webhook_secret)).toMatchObject({
      event_type: 'task.created',
      topic: 'task.wanted.created',
      project_id: 'default',
      cursor: expect.any(String),
      payload: { task_id: task['id'], priority: 'high' },
    });
    expect(received?.headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': delivery['webhook_id'],
    });
    expect(delivery).toMatchObject({
      kind: 'webhook',
      project_id: '*',
      subscription_id: id,
      request_id: null,
      webhook_id: `${String(delivery['event_id'])}_${id}`,
      agent_id: member.id,
      attempt: 1,
      next_attempt_at: null,
      last_status: 204,
      last_error: null,
    });
  });

  it('is told what happened after it was made, once for each event, however many processes look', async () => {
    const others = await Promise.all([1, 2].map(() => startApp({ database: app.database, env: ENV })));
    try {
      await api.happen('crowd');
      const id = await api.subscribe(member, receiver.urlOf('/crowd'), { topics: ['task.crowd.*'] });
      const ids = await Promise.all(Array.from({ length: 40 }, () => api.happen('crowd')));
      await until(
        async () => (await api.list(`subscription_id=${id}&limit=200&status=delivered`)).length === 40,
      );
      const tasks = receiver
        .at('/crowd')
        .map(({ body }) => (JSON.parse(body) as { payload: { task_id: string } }).payload.task_id);
      expect(tasks.toSorted()).toEqual(ids.toSorted());
    } finally {
      await Promise.all(others.map((other) => other.close()));
    }
  });

  it('of another project is told nothing, one of all projects is', async () => {
    const other = await api.subscribe(member, receiver.urlOf('/other'), { project: 'elsewhere' });
    const all = await api.subscribe(member, receiver.urlOf('/all'), {
      topics: ['task.reach.created'],
    });
    await api.happen('reach');
    await api.becomes(all, 'delivered');
    expect(await api.list(`subscription_id=${other}`)).toEqual([]);
  });

  it('is never told what is private', async () => {
    const id = await api.subscribe(member, receiver.urlOf('/private'), {
      topics: ['task.open.created'],
    });
    const message = { target_agent: member.id, event_type: 'task.open.created', payload: {} };
    expect((await api.agents.call('POST', '/messages', message)).status).toBe(202);
    await api.happen('open');
    await api.becomes(id, 'delivered');
    expect(receiver.at('/private').map(({ body }) => (JSON.parse(body) as { topic: string }).topic)).toEqual([
      'task.open.created',
    ]);
  });

  it('that fails is tried again after 1, 2, 4 … s with the same id and body, each time signed anew', async () => {
    receiver.on('/flaky', (reply, tries) => reply.writeHead(tries < 4 ? 500 : 200).end());
    const delivery = await api.becomes(await told('/flaky'), 'delivered');
    const tries = receiver.at('/flaky');
    expect(tries).toHaveLength(4);
    expect(delivery).toMatchObject({ attempt: 4, last_status: 200 });
    expect(new Set(tries.map(({ headers, body }) => `${String(headers['webhook-id'])} ${body}`)).size).toBe(
      1,
    );
    for (const one of tries) verified(one, member.credentials.webhook_secret);
    const gaps = tries.slice(1).map(({ at }, i) => at - (tries[i]?.at ?? 0));
    for (const [i, gap] of gaps.entries()) {
      expect(gap).toBeGreaterThan(2 ** i * 1_000 - 50);
      expect(gap).toBeLessThan(2 ** i * 1_000 + 1_500);
    }
  });

  it.each<[string, (url: string) => void, string]>([
    [
      'redirects',
      (path) =>
        receiver.on(path, (reply) => reply.writeHead(307, { location: receiver.urlOf('/trap') }).end()),
      'the receiver answered 307, and redirects are not followed',
    ],
    [
      'hangs up',
      (path) => receiver.on(path, (reply) => reply.socket?.destroy()),
      'no answer (UND_ERR_SOCKET)',
    ],
  ])('that %s waits for its next try', async (name, behave, error) => {
    const path = `/${name.replace(' ', '-')}`;
    behave(path);
    const id = await told(path);
    const delivery = await until(async () =>
      (await api.list(`subscription_id=${id}`)).find((one) => one['last_error'] !== null),
    );
    expect(delivery).toMatchObject({ status: 'pending', last_error: error });
    expect(receiver.at('/trap')).toEqual([]);
  });

  it('waits as long as its receiver asks', async () => {
    receiver.on('/busy', (reply, tries) =>
      (tries === 1 ? reply.writeHead(429, { 'retry-after': '3' }) : reply.writeHead(200)).end(),
    );
    await api.becomes(await told('/busy'), 'delivered');
    const [first, second] = receiver.at('/busy').map(({ at }) => at);
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThan(2_900);
  });

  it('is disabled by 410, which an alert tells once, and what waited for it has failed', async () => {
    receiver.on('/gone', (reply, tries) => reply.writeHead(tries === 1 ? 500 : 410).end());
    const id = await told('/gone');
    await until(() => receiver.at('/gone').length === 1);
    await api.happen('gone');
    await until(async () => {
      const all = await api.list(`subscription_id=${id}`);
      return all.length === 2 && all.every(({ status }) => status === 'failed');
    });
    const errors = (await api.list(`subscription_id=${id}`)).map((one) => one['last_error']);
    const reason = 'the receiver answered 410: it is gone';
    expect(errors.map(String).toSorted((a, b) => a.localeCompare(b))).toEqual([
      `its subscription is disabled: ${reason}`,
      reason,
    ]);
    const { body: subscription } = await api.agents.call('GET', `/subscriptions/${id}`);
    expect(subscription).toMatchObject({ disabled_reason: reason, disabled_at: expect.any(String) });
    await api.happen('gone');
    const after = await told('/after-gone');
    await api.becomes(after, 'delivered');
    expect(await api.list(`subscription_id=${id}`)).toHaveLength(2);
    const alerts = await api.agents.query<{ project_id: string; payload: unknown }>(
      `SELECT project_id, payload FROM events WHERE type = 'system.alert' AND payload -> 'details' ->> 'subscription_id' = $1`,
      [id],
    );
    const message = `The webhook of subscription '${id}' is disabled: ${reason}. Subscribe again with a URL that answers.`;
    const details = {
      reason: 'webhook_disabled',
      subscription_id: id,
      agent_id: member.id,
      webhook_url: receiver.urlOf('/gone'),
    };
    expect(alerts).toEqual([{ project_id: '*', payload: { severity: 'warning', message, details } }]);
  });

  it('of a subscription that was removed is not called any more', async () => {
    receiver.on('/removed', (reply) => reply.writeHead(500).end());
    const id = await told('/removed');
    await until(() => receiver.at('/removed').length === 1);
    await api.agents.call('DELETE', `/subscriptions/${id}`, undefined, member.token);
    expect(await api.becomes(id, 'failed')).toMatchObject({ last_error: 'its subscription was removed' });
    expect(receiver.at('/removed')).toHaveLength(1);
  });

  it('does not wait for another whose receiver does not answer', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`;
    try {
      const dead = await Promise.all(
        Array.from({ length: 40 }, () => api.subscribe(member, url, { topics: ['task.jam.created'] })),
      );
      await api.happen('jam');
      await until(async () => (await api.list(`subscription_id=${dead[0] ?? ''}`)).length === 1);
      const begun = performance.now();
      await api.becomes(await told('/free'), 'delivered');
      expect(performance.now() - begun).toBeLessThan(3_000);
      const [{ tried } = { tried: 0 }] = await api.agents.query<{ tried: number }>(
        `SELECT count(*)::int AS tried FROM deliveries WHERE url = $1 AND attempt > 0`,
        [url],
      );
      expect(tried).toBe(8);
    } finally {
      await api.agents.query('DELETE FROM deliveries WHERE url = $1', [url]);
      await api.agents.query('DELETE FROM subscriptions WHERE webhook_url = $1', [url]);
      silent.closeAllConnections();
      silent.close();
    }
  });

  it('is tried at least once more when the process that tried it died, and not while it may live', async () => {
    const id = await told('/orphan');
    const { id: delivery } = await api.becomes(id, 'delivered');
    const { text } = {
      text: `UPDATE deliveries SET status = 'pending', next_attempt_at = clock_timestamp() + $2::interval WHERE id = $1`,
    };
    await api.agents.query(text, [delivery, '30 seconds']);
    await api.becomes(await told('/meanwhile'), 'delivered');
    expect(receiver.at('/orphan')).toHaveLength(1);
    await api.agents.query(text, [delivery, '0 seconds']);
    await until(() => receiver.at('/orphan').length === 2);
    expect(new Set(receiver.at('/orphan').map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  it('fails when it was tried for its whole time', async () => {
    receiver.on('/hopeless', (reply) => reply.writeHead(503).end());
    const id = await told('/hopeless');
    await until(() => receiver.at('/hopeless').length === 1);
    await api.agents.query(
      `UPDATE deliveries SET give_up_at = clock_timestamp() WHERE subscription_id = $1`,
      [id],
    );
    expect(await api.becomes(id, 'failed')).toMatchObject({
      last_error: 'the receiver answered 503; given up after 24 hours',
      next_attempt_at: null,
      last_status: 503,
    });
  });
});

describe('a callback', () => {
  async function ask(path: string, more: object = {}): Promise<{ id: string; target: Member }> {
    const target = await api.agents.member();
    const body = { type: 'x', target: target.id, callback_url: receiver.urlOf(path), ...more };
    const { status, body: asked } = await api.agents.call('POST', '/requests', body, member.token);
    expect(status).toBe(202);
    return { id: String(asked['id']), target };
  }
  const delivered = (requestId: string): Promise<unknown> =>
    until(async () => (await api.list(`request_id=${requestId}&status=delivered`))[0]);

  it('brings the response to who asked, as it was given', async () => {
    const { id, target } = await ask('/answered');
    const response = { id: 'resp-001', status: 'success', data: { execution_time: 45.2 }, errors: [] };
    await api.agents.call('POST', `/requests/${id}/response`, response, target.token);
    await delivered(id);
    const [received, ...more] = receiver.at('/answered');
    expect(more).toEqual([]);
    expect(received && verified(received, member.credentials.webhook_secret)).toEqual({
      ...response,
      request_id: id,
    });
  });

  it('says so when there was none in time', async () => {
    const { id, target } = await ask('/late', { timeout: 1 });
    await delivered(id);
    const [received] = receiver.at('/late');
    expect(received && verified(received, member.credentials.webhook_secret)).toEqual({
      id: received?.headers['webhook-id'],
      request_id: id,
      status: 'timed_out',
      data: {},
      errors: [{ code: 'TASK_TIMEOUT', message: `Agent '${target.id}' did not respond within 1 s.` }],
    });
  });

  it('is signed by the agent that asked', async () => {
    const id = await callBack('req-1', receiver.urlOf('/callback'));
    await until(async () => (await api.get(id))['status'] === 'delivered');
    const [received] = receiver.at('/callback');
    expect(received && verified(received, member.credentials.webhook_secret)).toMatchObject({
      request_id: 'req-1',
      status: 'success',
    });
    expect(await api.get(id)).toMatchObject({ kind: 'callback', request_id: 'req-1', webhook_id: id });
  });

  it('has failed at once when the receiver is gone, or nobody may call it', async () => {
    receiver.on('/callback-gone', (reply) => reply.writeHead(410).end());
    const gone = await callBack('req-2', receiver.urlOf('/callback-gone'));
    const refused = await callBack('req-3', 'http://10.0.0.1/');
    const unreadable = await callBack('req-4', 'data:text/plain,hello');
    const unsigned = await callBack('req-5', receiver.urlOf('/unsigned'), 'nobody');
    for (const [id, error] of [
      [gone, 'the receiver answered 410: it is gone'],
      [refused, expect.stringContaining('EGRESS_ALLOW')],
      [unreadable, expect.stringContaining('http or https')],
      [unsigned, expect.stringContaining('not registered')],
    ] as const) {
      await until(async () => (await api.get(id))['status'] === 'failed');
      expect(await api.get(id)).toMatchObject({ attempt: 1, last_error: error, next_attempt_at: null });
    }
    expect(receiver.at('/unsigned')).toEqual([]);
  });
});

describe('the ledger', () => {
  it('is paged and filtered, and shows a project its own', async () => {
    const made = [];
    for (let i = 0; i < 5; i += 1) made.push(await callBack(`paged-${i}`, receiver.urlOf('/paged')));
    const first = await api.read('kind=callback&limit=2');
    expect(idsOf(first)).toEqual([made[4], made[3]]);
    const second = await api.read(`kind=callback&limit=2&cursor=${String(first.body['next_cursor'])}`);
    expect(idsOf(second)).toEqual([made[2], made[1]]);
    expect(idsOf(await api.read('request_id=paged-2'))).toEqual([made[2]]);
    const { created_at: at } = await api.get(made[4]);
    const before = await api.list(`kind=callback&created_before=${String(at)}`);
    expect(before.map(({ id }) => id)).toEqual(expect.arrayContaining([made[0]]));
    expect(before.every(({ created_at: time }) => String(time) < String(at))).toBe(true);
    const reader = await api.agents.client('default', 'events:read');
    expect(idsOf(await api.read('kind=callback&limit=1', reader))).toEqual([made[4]]);
    const stranger = await api.agents.client('proj-other', 'events:read');
    expect(idsOf(await api.read('', stranger))).toEqual([]);
    const hidden = await api.agents.call('GET', `/deliveries/${made[0] ?? ''}`, undefined, stranger);
    expect([hidden.status, codeOf(hidden)]).toEqual([404, 'NOT_FOUND']);
    const other = await api.agents.member();
    expect(idsOf(await api.read('kind=callback', other.token))).toEqual([]);
    expect(idsOf(await api.read('kind=callback&limit=1', member.token))).toEqual([made[4]]);
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/retry'],
    ] as const) {
      const refused = await api.agents.call(
        method,
        `/deliveries/${made[0] ?? ''}${path}`,
        undefined,
        other.token,
      );
      expect([refused.status, codeOf(refused)]).toEqual([403, 'FORBIDDEN']);
    }
    const blind = await api.agents.client('default', 'tasks:read');
    expect((await api.read('', blind)).status).toBe(403);
    expect((await api.read('status=lost')).status).toBe(400);
  });

  it('tries one that failed anew when it is told to, and only such a one', async () => {
    receiver.on('/redriven', (reply, tries) => reply.writeHead(tries === 1 ? 410 : 200).end());
    const id = await callBack('req-6', receiver.urlOf('/redriven'));
    await until(async () => (await api.get(id))['status'] === 'failed');
    const answer = await api.agents.call('POST', `/deliveries/${id}/retry`);
    expect(answer).toMatchObject({ status: 202, body: { id, status: 'pending', attempt: 0 } });
    await until(async () => (await api.get(id))['status'] === 'delivered');
    const again = await api.agents.call('POST', `/deliveries/${id}/retry`);
    expect([again.status, codeOf(again)]).toEqual([409, 'INVALID_TRANSITION']);
    expect((await api.agents.call('POST', '/deliveries/nothing/retry')).status).toBe(404);
  });

  it('forgets after the retention what has ended', async () => {
    const id = await callBack('req-7', receiver.urlOf('/forgotten'));
    receiver.on('/waiting', (reply) => reply.writeHead(500).end());
    const waiting = await callBack('req-8', receiver.urlOf('/waiting'));
    await until(async () => (await api.get(id))['status'] === 'delivered');
    const retention = app.app.get(DeliveryRetention, { strict: false });
    await retention.look();
    expect((await api.get(id))['id']).toBe(id);
    await api.agents.query(
      `UPDATE deliveries SET created_at = created_at - interval '31 days' WHERE id = ANY($1)`,
      [[id, waiting]],
    );
    await retention.look();
    expect((await api.get(id))['error']).toMatchObject({ code: 'NOT_FOUND' });
    expect((await api.get(waiting))['id']).toBe(waiting);
  });
});

describe('deliveries, when BullMQ is switched off', () => {
  it('are made all the same', async () => {
    const quiet = await startApp({
      env: ENV,
      override: (builder) => builder.overrideProvider(JobQueue).useClass(NoJobQueue),
    });
    try {
      const there = await DeliveriesApi.of(quiet);
      receiver.on('/jobless', (reply, tries) => reply.writeHead(tries < 3 ? 500 : 200).end());
      const id = await there.subscribe(await there.agents.member(), receiver.urlOf('/jobless'), {
        topics: ['task.jobless.created'],
      });
      await there.happen('jobless');
      expect(await there.becomes(id, 'delivered')).toMatchObject({ attempt: 3 });
    } finally {
      await quiet.close();
    }
  });
});
