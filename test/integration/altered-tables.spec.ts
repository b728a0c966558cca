import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startApp, type TestApp } from '../support/app.js';
import { WorkflowsApi } from '../support/workflows-api.js';

// A rolling update: the newer release migrates while this one serves.
describe('tables that get new columns while a server runs', () => {
  let app: TestApp;
  let api: WorkflowsApi;

  beforeAll(async () => {
    app = await startApp();
    api = await WorkflowsApi.of(app);
  });
  afterAll(() => app.close());

  /** A workflow from its creation to its end, over everything that a server prepares for it. */
  async function wholeLife(): Promise<void> {
    const { id, type } = await api.start({ a: [], b: ['a'] });
    const worker = await api.agent(type);
    for (const stage of ['a', 'b']) {
      const [item] = await api.claimStages(worker, id, stage);
      if (item === undefined) throw new Error('nothing to claim');
      expect(await worker.complete(item, {})).toMatchObject({ status: 200 });
    }
    expect(await api.call('GET', `/workflows/${id}/result?wait_ms=10000`)).toMatchObject({ status: 200 });
    const task = await api.call('POST', '/tasks', { id: api.unique('task'), type });
    expect(task).toMatchObject({ status: 201 });
    const path = `/tasks/${String(task.body['id'])}`;
    for (const answer of [
      await api.call('POST', `${path}/cancel`),
      await api.call('POST', `${path}/retry`),
      await api.call('GET', path),
      await api.call('GET', '/tasks'),
    ])
      expect(answer).toMatchObject({ status: 200 });
  }

  it('are met by statements that are prepared anew, and no request fails', async () => {
    await wholeLife();
    const migration = new pg.Client(app.database.connection.direct('migration'));
    await migration.connect();
    for (const table of ['tasks', 'agents', 'workflows', 'workflow_stages']) {
      await migration.query(`ALTER TABLE ${table} ADD COLUMN of_a_newer_release int`);
    }
    await migration.end();
    await Promise.all([wholeLife(), wholeLife()]);
  });
});
