import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startApp, type TestApp } from '../support/app.js';
import { until } from '../support/wait-for.js';
import { WorkflowsApi } from '../support/workflows-api.js';

describe('what follows from ends', () => {
  let app: TestApp;
  let api: WorkflowsApi;
  /** Sees and makes what no client can. */
  let database: pg.Client;
  /** Holds locks. */
  let holder: pg.Client;

  beforeAll(async () => {
    app = await startApp();
    api = await WorkflowsApi.of(app);
    database = new pg.Client(app.database.connection.direct('test'));
    holder = new pg.Client(app.database.connection.direct('holder'));
    await Promise.all([database.connect(), holder.connect()]);
  });
  afterAll(async () => {
    await Promise.all([database.end(), holder.end()]);
    await app.close();
  });

  const statusOf = async (id: string): Promise<unknown> =>
    (await api.call('GET', `/tasks/${id}`)).body['status'];
  const cancel = (id: string): Promise<unknown> => api.call('POST', `/tasks/${id}/cancel`);

  /** A task, and others that wait for its end, whatever it is. */
  async function fan(count: number): Promise<{ root: string; leaves: string[] }> {
    const root = api.unique('root');
    const leaves = Array.from({ length: count }, (_, i) => `${root}-${i}`);
    const waiting = { type: 'leaf', dependencies: [root], on_dependency_failure: 'run' };
    const tasks = [{ id: root, type: 'root' }, ...leaves.map((id) => ({ id, ...waiting }))];
    expect(await api.call('POST', '/tasks/batch', { tasks })).toMatchObject({ status: 201 });
    return { root, leaves };
  }

  async function isSettled(id: string): Promise<unknown> {
    const { rows } = await database.query<{ settled: boolean }>('SELECT settled FROM tasks WHERE id = $1', [
      id,
    ]);
    return rows[0]?.settled;
  }

  it('reaches any number of dependents', async () => {
    const { root, leaves } = await fan(250);
    await cancel(root);
    await until(async () => isSettled(root));
    const { rows } = await database.query(
      `SELECT t.status, count(*)::int AS tasks FROM tasks t WHERE t.id = ANY($1) GROUP BY t.status`,
      [leaves],
    );
    expect(rows).toEqual([{ status: 'queued', tasks: 250 }]);
  });

  it('reaches the dependents of one while those of another that ended with it are locked', async () => {
    const [stuck, free] = [await fan(1), await fan(1)];
    await holder.query('BEGIN');
    await holder.query('SELECT FROM tasks WHERE id = ANY($1) FOR UPDATE', [stuck.leaves]);
    // As after a crash: both ends are found together.
    await database.query(
      `UPDATE tasks SET status = 'cancelled', claimable = false, settled = false,
        ended_at = clock_timestamp() - interval '2 seconds' WHERE id = ANY($1)`,
      [[stuck.root, free.root]],
    );
    await until(async () => (await statusOf(String(free.leaves[0]))) === 'queued', { within: 20_000 });
    expect(await statusOf(String(stuck.leaves[0]))).toBe('blocked');
    await holder.query('ROLLBACK');
    await until(async () => (await statusOf(String(stuck.leaves[0]))) === 'queued', { within: 20_000 });
  });

  it('is found behind any number of older ends from which nothing can follow yet', async () => {
    const { id, type } = await api.start({ a: [] });
    const worker = await api.agent(type);
    const [item] = await worker.claim();
    const { root, leaves } = await fan(1);
    await holder.query('BEGIN');
    await holder.query('SELECT FROM workflows WHERE id = $1 FOR UPDATE', [id]);
    const { rows } = await database.query<{ names: string }>(
      `SELECT string_agg(column_name, ', ') AS names FROM information_schema.columns WHERE table_name = 'tasks'
        AND column_name NOT IN ('id', 'status', 'stage_name', 'settled', 'ended_at')`,
    );
    const others = String(rows[0]?.names);
    await database.query(
      `INSERT INTO tasks (id, status, stage_name, settled, ended_at, ${others})
        SELECT t.id || '-' || n, 'completed', NULL, false, clock_timestamp() - interval '1 hour', ${others}
        FROM tasks t, generate_series(1, 1500) n WHERE t.id = $1`,
      [item?.id],
    );
    await database.query(
      `UPDATE tasks SET status = 'cancelled', claimable = false, settled = false,
        ended_at = clock_timestamp() - interval '2 seconds' WHERE id = $1`,
      [root],
    );
    await until(async () => (await statusOf(String(leaves[0]))) === 'queued', { within: 20_000 });
    await holder.query('ROLLBACK');
  });
});
