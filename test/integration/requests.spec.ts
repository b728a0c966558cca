import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentsApi, type Answer, codeOf, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { assertKnownEvents } from '../support/known-events.js';

let app: TestApp;
let api: AgentsApi;

beforeAll(async () => {
  app = await startApp({ env: { RATE_LIMIT_PER_MINUTE: '0' } });
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
async function pair(): Promise<{ asker: Member; coder: Member; ask(more?: object): Promise<string> }> {
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
