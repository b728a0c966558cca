import { afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { MIGRATIONS } from '../../migrations/index.js';
import { createDataSource } from '../../config/data-source.js';
import { DatabaseConnection } from '../../src/platform/database/database-connection.js';
import { migrate } from '../../src/platform/database/migrate.js';
import { createEmptyDatabase, type TestDatabase } from '../support/database.js';
import { until } from '../support/wait-for.js';

const silent = (): void => {};

describe('migrations at boot', () => {
  let database: TestDatabase | undefined;
  afterEach(() => database?.drop());

  async function rows(statement: string): Promise<unknown[]> {
    const client = new pg.Client(database?.connection.direct('test'));
    await client.connect();
    const result = await client.query<Record<string, unknown>>(statement);
    await client.end();
    return result.rows;
  }

  it('are run by exactly one of four instances that start at once; the others wait for it', async () => {
    const { connection } = (database = await createEmptyDatabase());
    await Promise.all([1, 2, 3, 4].map(() => migrate(connection, silent)));
    expect(await rows('SELECT name FROM migrations')).toEqual(MIGRATIONS.map(({ name }) => ({ name })));
    expect(await rows('SELECT id FROM server_pulse')).toEqual([{ id: 1 }]);
  });

  it('change nothing when they are run again', async () => {
    const { connection } = (database = await createEmptyDatabase());
    await migrate(connection, silent);
    const before = await rows('SELECT beat_at FROM server_pulse');
    await migrate(connection, silent);
    expect(await rows('SELECT beat_at FROM server_pulse')).toEqual(before);
  });

  it('can be undone', async () => {
    const { connection } = (database = await createEmptyDatabase());
    await migrate(connection, silent);
    const dataSource = await createDataSource(connection.direct('undo')).initialize();
    for (const _ of MIGRATIONS) await dataSource.undoLastMigration();
    await dataSource.destroy();
    expect(await rows(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)).toEqual([
      { tablename: 'migrations' },
    ]);
  });

  it('wait for a Postgres that is away, and say so once', async () => {
    const { connection } = (database = await createEmptyDatabase());
    const settings = connection.direct('later');
    const target: pg.ClientConfig = { ...settings, host: '/nowhere' };
    const said: string[] = [];
    const migrated = migrate(new DatabaseConnection(target), (line) => said.push(line));
    await until(() => said.length > 0);
    target.host = settings.host;
    await migrated;
    expect(said).toEqual([
      expect.stringMatching(/^PostgreSQL is not there yet \(.*ENOENT.*\); waiting for it$/),
    ]);
    expect(await rows('SELECT name FROM migrations')).toHaveLength(MIGRATIONS.length);
  });

  it('do not wait for a Postgres that refuses them', async () => {
    const { connection } = (database = await createEmptyDatabase());
    const wrong = new DatabaseConnection({ ...connection.direct('wrong'), password: 'wrong' });
    await expect(migrate(wrong, silent)).rejects.toMatchObject({ severity: 'FATAL', code: '28P01' });
  });
});
