import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Fairness between keys, lists by correlation id and by error, and operations on many tasks. */
export class TasksInFull1700000005040 implements MigrationInterface {
  readonly name = 'TasksInFull1700000005040';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE routes ADD fair_from bigint;
      COMMENT ON COLUMN routes.fair_from IS 'Set by the first task with a fairness key: from then on this route goes by virtual time, beginning here.';
      CREATE INDEX routes_fair ON routes (id) WHERE fair_from IS NOT NULL;

      COMMENT ON COLUMN tasks.fairness_key IS 'Empty for a task without a key on a route where others have one; null elsewhere.';
      CREATE INDEX tasks_by_fairness ON tasks (project_id, route, rank, fairness_key, vtime)
        WHERE claimable AND fairness_key IS NOT NULL;
      CREATE INDEX tasks_by_correlation ON tasks (project_id, correlation_id, created_at DESC, id DESC)
        WHERE correlation_id <> id;
      CREATE INDEX tasks_by_error ON tasks (project_id, (error ->> 'code'), created_at DESC, id DESC)
        WHERE status = 'failed';

      CREATE TABLE task_operations (
        id text NOT NULL,
        project_id text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('retry')),
        status text NOT NULL CHECK (status IN ('running', 'completed')),
        filter jsonb NOT NULL,
        matched int NOT NULL,
        done int NOT NULL DEFAULT 0,
        skipped int NOT NULL DEFAULT 0,
        position_at timestamptz,
        position_id text,
        body_hash text NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        ended_at timestamptz,
        PRIMARY KEY (id, project_id)
      );
      COMMENT ON COLUMN task_operations.position_at IS 'With position_id: the task it has come to, moved on in the transaction that did the work.';
      CREATE INDEX task_operations_running ON task_operations (created_at) WHERE status = 'running';
    `);
    await db.query('ANALYZE task_operations, routes');
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP TABLE task_operations;
      DROP INDEX tasks_by_error, tasks_by_correlation, tasks_by_fairness, routes_fair;
      COMMENT ON COLUMN tasks.fairness_key IS NULL;
      ALTER TABLE routes DROP fair_from;
    `);
  }
}
