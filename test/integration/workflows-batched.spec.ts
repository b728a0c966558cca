import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startApp, type TestApp } from '../support/app.js';
import { until } from '../support/wait-for.js';
import { type Agent, type Item, type Json, WorkflowsApi } from '../support/workflows-api.js';

describe('workflows that go on together', () => {
  let app: TestApp;
  let api: WorkflowsApi;
  let look: pg.Client;

  beforeAll(async () => {
    app = await startApp();
    api = await WorkflowsApi.of(app);
    look = new pg.Client(app.database.connection.direct('look'));
    await look.connect();
  });
  afterAll(async () => {
    await look.end();
    await app.close();
  });

  /** Reports tasks completed, all in one request: their ends are committed together. */
  async function completeAll(worker: Agent, items: readonly Item[], output: Json = {}): Promise<void> {
    const reports = items.map((item) => ({
      task_id: item.id,
      attempt: item.attempt,
      status: 'completed',
      output_data: output,
    }));
    const answer = await api.call('POST', `/agents/${worker.id}/reports`, { reports }, worker.token);
    expect(answer.body['items']).toEqual(items.map(() => expect.objectContaining({ ok: true })));
  }

  it('are created, and go on, many in one transaction', async () => {
    const workflows = 100;
    const type = api.unique('type');
    const stages = ['a', 'b'].map((name, n) => ({
      name,
      agent_type: type,
      dependencies: ['a'].slice(0, n),
    }));
    const posted = await Promise.all(
      Array.from({ length: workflows }, () => api.call('POST', '/workflows', { name: 'many', stages })),
    );
    const ids = posted.map(({ body }) => body['id']);
    const transactions = async (stage: string): Promise<number> => {
      const { rows } = await look.query<{ n: number }>(
        `SELECT count(DISTINCT s.xmin::text)::int AS n FROM workflow_stages s
         WHERE s.workflow_id = ANY($1) AND s.name = $2 AND s.status = 'running'`,
        [ids, stage],
      );
      return rows[0]?.n ?? 0;
    };
    expect(await transactions('a')).toBeLessThan(workflows / 2);

    const worker = await api.agent(type);
    await completeAll(worker, await worker.claim(workflows), { from: 'a' });
    const second = await worker.claim(workflows);
    const took = await transactions('b');
    process.stdout.write(`${workflows} workflows went on in ${took} transactions\n`);
    expect(took).toBeGreaterThan(0);
    expect(took).toBeLessThan(workflows / 4);

    expect(new Set(second.map(({ input_data: input }) => JSON.stringify(input['stages'])))).toEqual(
      new Set([JSON.stringify({ a: { from: 'a' } })]),
    );
    await completeAll(worker, second);
    await until(async () => {
      const { body } = await api.call('GET', `/workflows?status=completed&limit=200`);
      const completed = new Set((body['items'] as Json[]).map(({ id }) => id));
      return ids.every((id) => completed.has(id));
    });
  });

  it('leave one whose row somebody holds to itself, and go on without it', async () => {
    const [held, free] = [await api.start({ a: [], b: ['a'] }), await api.start({ a: [], b: ['a'] })];
    const [first, second] = [await api.agent(held.type), await api.agent(free.type)];
    const [task, other] = [await first.claim(), await second.claim()];
    await look.query('BEGIN');
    await look.query('SELECT 1 FROM workflows WHERE id = $1 FOR UPDATE', [held.id]);
    await completeAll(first, task);
    await completeAll(second, other);
    expect(await second.claim()).toHaveLength(1);
    expect(await api.statuses(held.id)).toEqual({ a: 'running', b: 'pending' });
    await look.query('COMMIT');
    expect(await first.claim()).toHaveLength(1);
  });

  describe('and what is too much for a batch', () => {
    const long = 'x'.repeat(40_000);

    it.each([
      ['an output', {}, {}, { long }],
      ['the input of a workflow', { input_data: { long } }, {}, {}],
      ['the input of a stage', {}, { input: { long } }, {}],
    ])('is done alone: %s of 40 kB', async (_what, more, stage, output) => {
      const { id, type } = await api.start({ a: [], b: ['a'] }, {}, more, stage);
      const worker = await api.agent(type);
      await completeAll(worker, await worker.claim(), output);
      const [next] = await worker.claim();
      expect(next?.input_data).toEqual({
        workflow: null,
        input: null,
        ...given(more, stage),
        stages: { a: output },
      });
      await completeAll(worker, next === undefined ? [] : [next]);
      await until(async () => (await api.statusOf(id)) === 'completed');
    });

    it('is done alone: 40 stages, 20 of which end at once', async () => {
      const names = Array.from({ length: 20 }, (_, n) => `s${n}`);
      const graph: Record<string, string[]> = {};
      for (const name of names) graph[name] = [];
      for (const name of names) graph[`after-${name}`] = names;
      const { id, type } = await api.start(graph);
      const worker = await api.agent(type);
      await completeAll(worker, await worker.claim(20));
      await completeAll(worker, await worker.claim(20));
      await until(async () => (await api.statusOf(id)) === 'completed');
    });

    it('is done alone: a task of no workflow that waits for a stage’s', async () => {
      const { id, type } = await api.start({ a: [] });
      const worker = await api.agent(type);
      const [stage] = await worker.claim();
      if (stage === undefined) throw new Error('nothing to claim');
      const waiting = await api.call('POST', '/tasks', { type, dependencies: [stage.id] });
      expect(waiting.body).toMatchObject({ status: 'blocked' });
      await completeAll(worker, [stage]);
      expect(await worker.claim()).toMatchObject([{ id: waiting.body['id'] }]);
      await until(async () => (await api.statusOf(id)) === 'completed');
    });
  });
});

/** What a stage is given of what was posted. */
function given({ input_data: workflow }: Json, { input }: Json): Json {
  return { ...(workflow === undefined ? {} : { workflow }), ...(input === undefined ? {} : { input }) };
}
