import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startApp, type TestApp } from '../support/app.js';
import { until } from '../support/wait-for.js';
import { type Agent, type Answer, type Json, WorkflowsApi } from '../support/workflows-api.js';

const STAGES = 500;
const SHAPES = ['wide', 'layered'] as const;

/** What a stage of a workflow of 500 depends on. */
function dependenciesOf(shape: (typeof SHAPES)[number], index: number): string[] {
  // Ten layers of fifty, each stage on the whole layer before it: 22,500 dependencies.
  const layer = Math.floor(index / 50);
  if (shape === 'layered' && layer > 0)
    return Array.from({ length: 50 }, (_, place) => `s${(layer - 1) * 50 + place}`);
  return [];
}

describe('a workflow of 500 stages', () => {
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

  /** Transactions so far, counted by the database itself. */
  async function transactions(): Promise<number> {
    await look.query('SELECT pg_stat_force_next_flush()');
    const { rows } = await look.query<{ n: string }>(
      'SELECT xact_commit AS n FROM pg_stat_database WHERE datname = current_database()',
    );
    return Number(rows[0]?.n);
  }

  it.each(SHAPES)(
    '%s: is created, seen and done without trouble',
    async (shape) => {
      const type = api.unique('type');
      const stages = Array.from({ length: STAGES }, (_, index) => ({
        name: `s${index}`,
        agent_type: type,
        dependencies: dependenciesOf(shape, index),
      }));
      const took: Record<string, number> = {};
      const timed = async <T>(what: string, run: () => Promise<T>): Promise<T> => {
        const begun = performance.now();
        const result = await run();
        took[what] = Math.round(performance.now() - begun);
        return result;
      };
      const before = await transactions();
      const posted = await timed('create', () => api.call('POST', '/workflows', { name: shape, stages }));
      expect(posted).toMatchObject({ status: 201 });
      const id = String(posted.body['id']);
      took['transactions to create'] = (await transactions()) - before;
      const seen = await timed('view', () => api.call('GET', `/workflows/${id}`));
      expect(seen.body['stages']).toHaveLength(STAGES);

      const workers = await Promise.all([1, 2].map(() => api.agent(type)));
      let over = false;
      const work = async (worker: Agent): Promise<void> => {
        while (!over) {
          const items = await worker.look(500);
          await Promise.all(items.map((item): Promise<Answer> => worker.complete(item, { by: worker.id })));
        }
      };
      const working = workers.map(work);
      await timed('run', () =>
        until(async () => (await api.call('GET', `/workflows/${id}/result?wait_ms=20000`)).status === 200, {
          within: 120_000,
        }),
      );
      over = true;
      await Promise.all(working);
      const { body } = await timed('view at the end', () => api.call('GET', `/workflows/${id}`));
      expect((body['stages'] as Json[]).every((stage) => stage['status'] === 'completed')).toBe(true);
      process.stdout.write(`  500 stages, ${shape}: ${JSON.stringify(took)}\n`);
    },
    180_000,
  );

  it('makes the routes of 500 types in one statement', async () => {
    const stages = Array.from({ length: STAGES }, (_, index) => ({
      name: `s${index}`,
      agent_type: api.unique('type'),
    }));
    const before = await transactions();
    expect(await api.call('POST', '/workflows', { name: 'types', stages })).toMatchObject({ status: 201 });
    expect((await transactions()) - before).toBeLessThan(100);
  });

  it('is cancelled whatever its tasks gave so far, which they keep', async () => {
    const type = api.unique('type');
    const stages = Array.from({ length: 100 }, (_, index) => ({ name: `s${index}`, agent_type: type }));
    const { body } = await api.call('POST', '/workflows', { name: 'cancelled', stages });
    const id = String(body['id']);
    const worker = await api.agent(type);
    const output = { text: 'x'.repeat(900_000) };
    for (const { id: task, attempt } of await worker.claim(100)) {
      const report = { status: 'in_progress', attempt, output_data: output };
      expect(await api.call('PATCH', `/tasks/${task}`, report, worker.token)).toMatchObject({ status: 200 });
    }
    expect(await api.call('POST', `/workflows/${id}/cancel`)).toMatchObject({ status: 200 });
    const { rows } = await look.query(
      `SELECT status, length(output_data ->> 'text') AS kept, count(*)::int AS tasks FROM tasks
        WHERE parent_workflow_id = $1 GROUP BY 1, 2`,
      [id],
    );
    expect(rows).toEqual([{ status: 'cancelled', kept: 900_000, tasks: 100 }]);
  });

  it('is cancelled whole, and retried whole', async () => {
    const type = api.unique('type');
    const stages = Array.from({ length: STAGES }, (_, index) => ({ name: `s${index}`, agent_type: type }));
    const { body } = await api.call('POST', '/workflows', { name: 'cancelled', stages });
    const id = String(body['id']);
    expect(await api.call('POST', `/workflows/${id}/pause`)).toMatchObject({ status: 200 });
    expect(await api.call('POST', `/workflows/${id}/resume`)).toMatchObject({ status: 200 });
    expect(await api.call('POST', `/workflows/${id}/cancel`)).toMatchObject({ status: 200 });
    const { rows } = await look.query<{ status: string; n: number }>(
      'SELECT status, count(*)::int AS n FROM tasks WHERE parent_workflow_id = $1 GROUP BY status',
      [id],
    );
    expect(rows).toEqual([{ status: 'cancelled', n: STAGES }]);
    expect(await api.call('POST', `/workflows/${id}/retry`)).toMatchObject({
      status: 200,
      body: { status: 'running' },
    });
  });
});
