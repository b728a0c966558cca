import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentsApi, type Answer, codeOf, idsOf, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { assertKnownEvents } from '../support/known-events.js';
import { TestSocket } from '../support/sockets.js';
import { until } from '../support/wait-for.js';

let app: TestApp;
let api: AgentsApi;

beforeAll(async () => {
  app = await startApp();
  api = await AgentsApi.of(app);
});
afterAll(async () => {
  await assertKnownEvents(app);
  await app.close();
});

interface Told {
  readonly type: string;
  readonly seq: number;
  readonly mailbox: string | null;
  readonly source_agent: string | null;
  readonly target_agent: string | null;
  readonly correlation_id: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

const storyOf = (id: string): Promise<Told[]> =>
  api.query<Told>(
    `SELECT type, seq, mailbox, source_agent, target_agent, correlation_id, payload FROM events
     WHERE aggregate_id = $1 AND type LIKE 'request.%' ORDER BY pos`,
    [id],
  );

/** Two agents of one project, and a request of the first to the second. */
async function pair(): Promise<{ asker: Member; coder: Member; ask: (more?: object) => Promise<string> }> {
  const asker = await api.member({ project_id: 'p' });
  const coder = await api.member({ project_id: 'p' });
  const ask = async (more: object = {}): Promise<string> => {
    const { status, body } = await api.call(
      'POST',
      '/requests',
      { type: 'x', target: coder.id, ...more },
      asker.token,
    );
    if (status !== 202) throw new Error(JSON.stringify(body));
    return String(body['id']);
  };
  return { asker, coder, ask };
}

const respond = (id: string, body: object, { token }: Member): Promise<Answer> =>
  api.call('POST', `/requests/${id}/response`, { status: 'success', ...body }, token);

describe('a request', () => {
  it('is told to its target and answered at the address that it names, as the seed prints it', async () => {
    await api.register({ id: 'orchestrator-001', type: 'orchestrator' });
    const { body: registered } = await api.register({ id: 'code-gen-001', type: 'code_generation' });
    const { client_id, client_secret } = registered['credentials'] as Record<string, string>;
    const token = await app.token(String(client_id), String(client_secret));
    const request = {
      id: 'req-001',
      type: 'generate_code',
      source: 'orchestrator-001',
      target: 'code-gen-001',
      correlation_id: 'workflow-123',
      data: { template_id: 'express-api', parameters: {} },
      timeout: 300,
      callback_url: '/api/v1/callbacks/req-001',
    };
    const asked = await api.call('POST', '/requests', request);
    expect([asked.status, asked.body]).toEqual([202, { id: 'req-001', status: 'pending' }]);
    expect(asked.headers['location']).toBe('/api/v1/requests/req-001');

    const waiting = api.call('GET', '/requests/req-001?wait_ms=20000');
    const response = {
      id: 'resp-001',
      request_id: 'req-001',
      status: 'success',
      data: { generated_files: ['app.ts'], execution_time: 45.2 },
      errors: [],
    };
    const answered = await api.call('POST', '/callbacks/req-001', response, token);
    expect([answered.status, answered.body]).toEqual([200, response]);
    const { body: read } = await waiting;
    expect(read).toEqual({
      ...request,
      project_id: 'default',
      status: 'answered',
      response,
      deadline_at: expect.any(String),
      created_at: expect.any(String),
      updated_at: expect.any(String),
      ended_at: expect.any(String),
    });
    expect(Date.parse(String(read['deadline_at'])) - Date.parse(String(read['created_at']))).toBe(300_000);

    const [created, completed, ...more] = await storyOf('req-001');
    expect(more).toEqual([]);
    const { type, source, target, data, timeout } = request;
    const about = { request_id: 'req-001', type, source, target, project_id: 'default' };
    expect(created).toEqual({
      type: 'request.created',
      seq: 1,
      mailbox: '* code-gen-001',
      source_agent: 'orchestrator-001',
      target_agent: 'code-gen-001',
      correlation_id: 'workflow-123',
      payload: { ...about, status: 'pending', data, timeout, deadline_at: read['deadline_at'] },
    });
    expect(completed).toEqual({
      type: 'request.completed',
      seq: 2,
      mailbox: '* orchestrator-001',
      source_agent: 'code-gen-001',
      target_agent: 'orchestrator-001',
      correlation_id: 'workflow-123',
      payload: { ...about, status: 'answered', response },
    });
  });

  it('takes exactly one response: the same again is answered as before, any other is refused', async () => {
    const { coder, ask } = await pair();
    const id = await ask();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => respond(id, { data: { n } }, coder)),
    );
    const accepted = answers.filter(({ status }) => status === 200);
    expect(accepted).toHaveLength(1);
    expect(answers.filter((one) => codeOf(one) === 'INVALID_TRANSITION')).toHaveLength(19);
    const { data, id: responseId } = accepted[0]?.body ?? {};
    const again = await respond(id, { data: data as object }, coder);
    expect([again.status, again.body]).toEqual([200, accepted[0]?.body]);
    const named = await respond(id, { data: data as object, id: responseId }, coder);
    expect(named.body).toEqual(accepted[0]?.body);
    const other = await respond(id, { data: data as object, id: 'other' }, coder);
    expect([other.status, codeOf(other)]).toEqual([409, 'INVALID_TRANSITION']);
    expect(await storyOf(id)).toHaveLength(2);
  });

  it('that nobody answers times out, and tells who asked', async () => {
    const { asker, coder, ask } = await pair();
    const id = await ask({ timeout: 1 });
    const { body } = await api.call('GET', `/requests/${id}?wait_ms=20000`, undefined, asker.token);
    expect(body).toMatchObject({ status: 'timed_out', response: null, ended_at: expect.any(String) });
    expect(String(body['ended_at']) >= String(body['deadline_at'])).toBe(true);
    const late = await respond(id, {}, coder);
    expect([late.status, codeOf(late)]).toEqual([409, 'INVALID_TRANSITION']);
    const [, timedOut] = await storyOf(id);
    expect(timedOut).toMatchObject({
      type: 'request.timed_out',
      seq: 2,
      mailbox: `p ${asker.id}`,
      source_agent: null,
      target_agent: asker.id,
      payload: { request_id: id, status: 'timed_out' },
    });
  });

  it('is late by the database’s clock, before anybody has ended it', async () => {
    // Nobody sweeps here.
    const alone = await startApp({ env: { PARLEY_ROLE: 'api' } });
    try {
      const apiThere = await AgentsApi.of(alone);
      const coder = await apiThere.member();
      const { body } = await apiThere.call('POST', '/requests', { type: 'x', target: coder.id });
      await apiThere.query(`UPDATE requests SET deadline_at = clock_timestamp() WHERE id = $1`, [body['id']]);
      const late = await apiThere.call(
        'POST',
        `/requests/${String(body['id'])}/response`,
        { status: 'success' },
        coder.token,
      );
      expect([late.status, codeOf(late)]).toEqual([409, 'INVALID_TRANSITION']);
      expect(late.body['error']).toMatchObject({ details: { from: 'timed_out', to: 'answered' } });
      expect((await apiThere.call('GET', `/requests/${String(body['id'])}`)).body['status']).toBe('pending');
    } finally {
      await alone.close();
    }
  });
});

const refused = (answer: Answer): unknown[] => [answer.status, codeOf(answer)];

describe('asking', () => {
  it('again with the same id and body is answered with what became of the request, another body is refused', async () => {
    const { asker, coder } = await pair();
    const body = { id: api.unique('req'), type: 'x', target: coder.id, data: { n: 1 } };
    const ask = (more: object = {}): Promise<Answer> =>
      api.call('POST', '/requests', { ...body, ...more }, asker.token);
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask()));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      ...Array<number>(19).fill(200),
      202,
    ]);
    await respond(body.id, {}, coder);
    await api.query(`UPDATE agents SET liveness = 'offline' WHERE id = $1`, [coder.id]);
    const again = await ask();
    expect([again.status, again.body]).toEqual([200, { id: body.id, status: 'answered' }]);
    expect(refused(await ask({ data: { n: 2 } }))).toEqual([409, 'CONFLICT']);
    expect(await storyOf(body.id)).toHaveLength(2);
  });

  it('an agent that is away, or that nobody knows, is refused', async () => {
    const { asker, coder } = await pair();
    const ask = (target: string): Promise<Answer> =>
      api.call('POST', '/requests', { type: 'x', target }, asker.token);
    const unknown = await ask('nobody');
    expect(refused(unknown)).toEqual([503, 'AGENT_UNAVAILABLE']);
    const details = { agent_id: 'nobody', last_seen: null, retry_after: 60 };
    expect(unknown.body['error']).toMatchObject({ details });
    expect(unknown.headers['retry-after']).toBe('60');
    await api.query(`UPDATE agents SET liveness = 'offline' WHERE id = $1`, [coder.id]);
    const lastSeen = (await api.get(coder.id))['last_seen'];
    const away = await ask(coder.id);
    expect(away.body['error']).toMatchObject({
      code: 'AGENT_UNAVAILABLE',
      details: { agent_id: coder.id, last_seen: lastSeen },
    });
  });

  it('means the project’s own agent before the one that serves all', async () => {
    const id = api.unique('twice');
    await api.register({ id, type: id });
    await api.register({ id, type: id, project_id: 'own' });
    for (const [project, mailbox] of [
      ['own', `own ${id}`],
      ['other', `* ${id}`],
    ]) {
      const { body } = await api.call('POST', '/requests', { type: 'x', target: id, project_id: project });
      expect((await storyOf(String(body['id'])))[0]).toMatchObject({ mailbox });
    }
  });

  it('is done in one’s own name', async () => {
    const { asker, coder } = await pair();
    const ask = (source: string | undefined, token: string): Promise<Answer> =>
      api.call('POST', '/requests', { type: 'x', target: coder.id, source }, token);
    const publisher = await api.client('p', 'events:publish events:read');
    const writer = await api.client('p', 'events:publish events:read agents:write');
    expect(refused(await ask(asker.id, coder.token))).toEqual([403, 'FORBIDDEN']);
    expect(refused(await ask(asker.id, publisher))).toEqual([403, 'FORBIDDEN']);
    expect(refused(await ask('nobody', writer))).toEqual([404, 'NOT_FOUND']);
    const sourceOf = async (asked: Answer): Promise<unknown> =>
      (await api.call('GET', `/requests/${String(asked.body['id'])}`, undefined, writer)).body['source'];
    expect(await sourceOf(await ask(undefined, asker.token))).toBe(asker.id);
    expect(await sourceOf(await ask(asker.id, asker.token))).toBe(asker.id);
    expect(await sourceOf(await ask(undefined, publisher))).toBeNull();
    expect(await sourceOf(await ask(asker.id, writer))).toBe(asker.id);
  });

  it('needs the scope, and a body that says what and whom', async () => {
    const { coder } = await pair();
    const reader = await api.client('p', 'events:read');
    expect(refused(await api.call('POST', '/requests', { type: 'x', target: coder.id }, reader))).toEqual([
      403,
      'FORBIDDEN',
    ]);
    for (const [field, more] of [
      ['/target', { target: undefined }],
      ['/type', { type: undefined }],
      ['/type', { type: 'a.b' }],
      ['/timeout', { timeout: 0 }],
      ['/timeout', { timeout: 86_401 }],
      ['/data', { data: [] }],
      ['/callback_url', { callback_url: 'https://example.com/' }],
      ['/callback_url', { id: 'mine', callback_url: '/api/v1/callbacks/other' }],
      ['/more', { more: 1 }],
    ] as const) {
      const body = { project_id: 'p', type: 'x', target: coder.id, ...more };
      const answer = await api.call('POST', '/requests', body);
      expect(refused(answer)).toEqual([400, 'VALIDATION_FAILED']);
      expect(answer.body['error']).toMatchObject({ details: { errors: [{ path: field }] } });
    }
  });

  it('is done once under an Idempotency-Key, and so is answering', async () => {
    const { asker, coder } = await pair();
    const keyed = async (path: string, body: object, token: string): Promise<Answer> =>
      (await app.http('POST', `/api/v1${path}`, {
        token,
        body,
        headers: { 'idempotency-key': 'k' },
      })) as Answer;
    const body = { type: 'x', target: coder.id };
    const first = await keyed('/requests', body, asker.token);
    const again = await keyed('/requests', body, asker.token);
    expect([again.status, again.body, again.headers['idempotency-replayed']]).toEqual([
      202,
      first.body,
      'true',
    ]);
    const path = `/requests/${String(first.body['id'])}/response`;
    const answered = await keyed(path, { status: 'error', errors: [{ code: 'E' }] }, coder.token);
    const repeated = await keyed(path, { status: 'error', errors: [{ code: 'E' }] }, coder.token);
    expect(repeated.body).toEqual(answered.body);
    expect(repeated.headers['idempotency-replayed']).toBe('true');
  });
});

describe('answering', () => {
  it('is for the target alone, and about the request that the path names', async () => {
    const { asker, coder, ask } = await pair();
    const id = await ask();
    const admin = await app.adminToken();
    const stranger = await api.member({ project_id: 'q' });
    const answer = (path: string, token: string, more: object = {}): Promise<Answer> =>
      api.call('POST', path, { status: 'success', ...more }, token);
    const path = `/requests/${id}/response`;
    expect(refused(await answer(path, asker.token))).toEqual([403, 'FORBIDDEN']);
    expect(refused(await answer(path, admin))).toEqual([403, 'FORBIDDEN']);
    expect(refused(await answer(path, stranger.token))).toEqual([404, 'NOT_FOUND']);
    expect(refused(await answer('/callbacks/nothing', coder.token))).toEqual([404, 'NOT_FOUND']);
    expect(refused(await answer(path, coder.token, { request_id: 'other' }))).toEqual([
      400,
      'VALIDATION_FAILED',
    ]);
    expect(refused(await answer(path, coder.token, { status: 'done' }))).toEqual([400, 'VALIDATION_FAILED']);
    expect((await api.call('GET', `/requests/${id}`)).body['status']).toBe('pending');
    expect((await answer(path, coder.token, { request_id: id })).status).toBe(200);
  });

  it('works over sockets, too', async () => {
    const { asker, coder } = await pair();
    const [asking, coding] = await Promise.all(
      [asker, coder].map(({ token }) => TestSocket.connect(app.url, { token })),
    );
    if (asking === undefined || coding === undefined) throw new Error('two sockets');
    try {
      await asking.subscribe(['request.completed'], { filters: { source: asker.id } });
      const request = { type: 'x', target: coder.id, data: { n: 1 } };
      const { id, status } = await asking.do('request', request);
      expect(status).toBe('pending');
      const response = { id: 'r', request_id: id, status: 'success', data: { n: 2 }, errors: [] };
      expect(await coding.do('respond', response)).toEqual(response);
      await asking.has(1);
      expect(asking.events[0]?.payload['response']).toEqual(response);
      const again = await coding.ask('respond', { ...response, id: 's' });
      expect(again.error).toMatchObject({ code: 'INVALID_TRANSITION' });
      const forged = await coding.ask('request', { ...request, source: asker.id });
      expect(forged.error).toMatchObject({ code: 'FORBIDDEN' });
      const nameless = await coding.ask('respond', { status: 'success' });
      expect(nameless.error).toMatchObject({ code: 'VALIDATION_FAILED' });
    } finally {
      asking.close();
      coding.close();
    }
  });
});

describe('a request that is answered while it is made', () => {
  it('is made, then answered: what its end brings with it is not lost', async () => {
    const { asker, coder } = await pair();
    const ids = Array.from({ length: 20 }, () => api.unique('req'));
    const answers = await Promise.all(
      ids.map(async (id) => {
        const callback = { callback_url: 'https://callbacks.example.com/' };
        const asking = api.call(
          'POST',
          '/requests',
          { id, type: 'x', target: coder.id, ...callback },
          asker.token,
        );
        // It may come too early; its target has the id from elsewhere.
        for (;;) {
          const answer = await respond(id, {}, coder);
          if (answer.status !== 404) return [(await asking).status, answer.status];
        }
      }),
    );
    expect(answers).toEqual(ids.map(() => [202, 200]));
    const deliveries = await api.query(
      `SELECT 1 FROM deliveries WHERE url LIKE 'https://callbacks.example.com/%'`,
    );
    expect(deliveries).toHaveLength(ids.length);
  });
});

describe('requests in lists', () => {
  it('are found by state, agents, correlation and time, newest first, page by page, in one project or in all', async () => {
    const { asker, coder, ask } = await pair();
    const other = await api.member({ project_id: 'p' });
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) ids.unshift(await ask({ correlation_id: n < 2 ? 'early' : 'late' }));
    const elsewhere = await ask({ target: other.id });
    await respond(ids[0] ?? '', {}, coder);
    const list = (query: string): Promise<Answer> =>
      api.call('GET', `/requests?${query}`, undefined, asker.token);

    expect(idsOf(await list(`target=${coder.id}`))).toEqual(ids);
    expect(idsOf(await list(`source=${asker.id}`))).toEqual([elsewhere, ...ids]);
    expect(idsOf(await list(`source=${asker.id}&status=pending`))).toEqual([elsewhere, ...ids.slice(1)]);
    expect(idsOf(await list(`target=${coder.id}&status=answered`))).toEqual(ids.slice(0, 1));
    expect(idsOf(await list(`target=${coder.id}&correlation_id=early`))).toEqual(ids.slice(3));
    const { created_at: third } = (await api.call('GET', `/requests/${ids[2] ?? ''}`)).body;
    expect(idsOf(await list(`target=${coder.id}&created_before=${String(third)}`))).toEqual(ids.slice(3));

    const pages: unknown[] = [];
    for (const query of [`target=${coder.id}&limit=2`, `project_id=p&target=${coder.id}&limit=3`]) {
      let cursor = '';
      do {
        const page = await list(`${query}${cursor}`);
        pages.push(...idsOf(page));
        const next = page.body['next_cursor'];
        cursor = typeof next === 'string' ? `&cursor=${next}` : '';
      } while (cursor !== '');
    }
    expect(pages).toEqual([...ids, ...ids]);
    expect(idsOf(await api.call('GET', `/requests?target=${coder.id}`))).toEqual(ids);
  });

  it('are those of one’s own project', async () => {
    const { ask } = await pair();
    const id = await ask();
    const stranger = await api.client('q', 'events:read');
    expect(refused(await api.call('GET', `/requests/${id}`, undefined, stranger))).toEqual([
      404,
      'NOT_FOUND',
    ]);
    expect(refused(await api.call('GET', '/requests?project_id=p', undefined, stranger))).toEqual([
      404,
      'NOT_FOUND',
    ]);
    expect(idsOf(await api.call('GET', '/requests', undefined, stranger))).toEqual([]);
  });
});

describe('an outage of ours', () => {
  it('is added to the deadlines of requests that wait', async () => {
    const { ask } = await pair();
    const id = await ask({ timeout: 2 });
    await api.query(`UPDATE server_pulse SET beat_at = clock_timestamp() - interval '1 hour'`);
    await until(async () => {
      const { body } = await api.call('GET', `/requests/${id}`);
      const allowed = Date.parse(String(body['deadline_at'])) - Date.parse(String(body['created_at']));
      return body['status'] === 'pending' && allowed >= 3_600_000;
    });
  });
});
