import type pg from 'pg';
import { DataSource } from 'typeorm';
import { FirstSchema1700000000000 } from '../migrations/1700000000000-first-schema.js';

/** Every migration, in order. */
const MIGRATIONS = [FirstSchema1700000000000];

/** Every entity: what TypeORM knows of the schema. A test holds them against what the migrations make. */
const ENTITIES: (new () => object)[] = [];

/** TypeORM over connections of ours; not yet initialised. */
export function createDataSource(connections: pg.PoolConfig): DataSource {
  return new DataSource({
    type: 'postgres',
    entities: ENTITIES,
    migrations: MIGRATIONS,
    extra: connections,
    installExtensions: false,
    // An idle connection that breaks is replaced when it is next needed; what it was needed for says so then.
    poolErrorHandler: () => {},
  });
}
