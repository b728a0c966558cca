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

  /** A workflow from its creation to its end, over what a server prepares for it. @returns how each request was answered */
  async function wholeLife(): Promise<number[]> {
    const { id, type } = await api.start({ a: [], b: ['a'] });
    const worker = await api.agent(type);
    const answers = [];
    for (const stage of ['a', 'b']) {
      const [item] = await api.claimStages(worker, id, stage);
      if (item === undefined) throw new Error('nothing to claim');
      answers.push(await worker.complete(item, {}));
    }
    answers.push(await api.call('GET', `/workflows/${id}/result?wait_ms=10000`));
    const task = api.unique('task');
    answers.push(await api.call('POST', '/tasks', { id: task, type }));
    for (const what of ['cancel', 'retry']) answers.push(await api.call('POST', `/tasks/${task}/${what}`));
    for (const path of [`/tasks/${task}`, '/tasks']) answers.push(await api.call('GET', path));
    return answers.map(({ status }) => status);
  }

  it('are met by statements that are prepared anew, and no request fails', async () => {
    const answers = await wholeLife();
    expect(answers).toEqual([200, 200, 200, 201, 200, 200, 200, 200]);
    const migration = new pg.Client(app.database.connection.direct('migration'));
    await migration.connect();
    for (const table of ['tasks', 'agents', 'workflows', 'workflow_stages']) {
      await migration.query(`ALTER TABLE ${table} ADD COLUMN of_a_newer_release int`);
    }
    await migration.end();
    expect(await Promise.all([wholeLife(), wholeLife()])).toEqual([answers, answers]);
  });
});
