import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { createDataSource } from '../../config/data-source.js';
import { TaskEntity } from '../../src/tasks/persistence/task.entity.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

describe('the entities and the migrated schema', () => {
  let database: TestDatabase;
  let dataSource: DataSource;

  beforeAll(async () => {
    database = await createDatabase();
    dataSource = await createDataSource(database.connection.serving('drift')).initialize();
  });
  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  it('say the same: TypeORM would change nothing', async () => {
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
  });

  it('would be told apart, if a column were missing', async () => {
    await dataSource.query('ALTER TABLE tasks DROP COLUMN progress');
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual(['ALTER TABLE "tasks" ADD "progress" real']);
  });

  it('read times as ISO strings and bigint as numbers', async () => {
    await dataSource.query('ALTER TABLE tasks ADD IF NOT EXISTS progress real');
    await dataSource.query(`
      INSERT INTO tasks (id, project_id, type, agent_type, status, priority, timeout, retry_policy, on_agent_unavailable,
        on_dependency_failure, correlation_id, route, rank, vtime, claimable, body_hash, seq, created_at, updated_at)
      VALUES ('t', 'p', 'x', 'x', 'queued', 'normal', 60, '{}', 'queue', 'fail', 't', 1, 2, 9007199254740991, true, '', 3,
        '2026-11-23 01:02:03.456789+00', '2026-11-23 01:02:03+00')`);
    const task = await dataSource.getRepository(TaskEntity).findOneByOrFail({ id: 't', project_id: 'p' });
    expect(task).toMatchObject({
      vtime: Number.MAX_SAFE_INTEGER,
      seq: 3,
      created_at: '2026-11-23T01:02:03.456Z',
      updated_at: '2026-11-23T01:02:03.000Z',
      started_at: null,
      dependencies: [],
    });
  });
});
