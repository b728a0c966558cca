import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { freshPlans } from '../../src/platform/database/plans.js';
import { pipeline } from '../../src/platform/database/pipeline.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { until } from '../support/wait-for.js';

const ONE = { name: 'one', text: 'SELECT t.id FROM full_soon t WHERE t.project = $1 AND t.id = $2' };

describe('plans of prepared statements', () => {
  let database: TestDatabase;
  let pool: pg.Pool;
  let client: pg.PoolClient;

  beforeAll(async () => {
    database = await createDatabase();
    pool = database.connection.pool(database.connection.writing('plans'), 1);
    client = await pool.connect();
  });
  afterAll(async () => {
    client.release();
    await pool.end();
    await database.drop();
  });

  const run = () => pipeline(client, [...freshPlans(client), { ...ONE, values: ['p', '7'] }]);
  it('are made once for all values where things are written', async () => {
    await client.query('CREATE TABLE full_soon (id text, project text, PRIMARY KEY (id, project))');
    await run();
    const { rows } = await client.query(
      `SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name LIKE 'one/%'`,
    );
    expect(rows).toEqual([{ generic_plans: 1, custom_plans: 0 }]);
  });

  it('are forgotten a little later, since a table may have filled', async () => {
    expect(freshPlans(client)).toEqual([]);
    await until(() => Promise.resolve(freshPlans(client).length === 1));
    expect(freshPlans(client)).toEqual([]);
  });
});
