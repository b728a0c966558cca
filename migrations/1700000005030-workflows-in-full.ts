import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Workflows with a timeout, paused ones, and stages that are undone. */
export class WorkflowsInFull1700000005030 implements MigrationInterface {
  readonly name = 'WorkflowsInFull1700000005030';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE workflows
        ADD timeout int,
        ADD deadline_at timestamptz,
        ADD check_at timestamptz;
      COMMENT ON COLUMN workflows.check_at IS 'When somebody has to look at it, whatever its tasks do: at its deadline, or now, when a look left something to start.';
      CREATE INDEX workflows_to_check ON workflows (check_at) WHERE check_at IS NOT NULL;

      ALTER TABLE workflow_stages ADD compensation_task_id text;
      COMMENT ON COLUMN workflow_stages.compensation_task_id IS 'The task that undoes it; a completed stage with an error is one that could not be undone.';

      ALTER TABLE tasks ADD paused boolean NOT NULL DEFAULT false;
      COMMENT ON COLUMN tasks.paused IS 'Its workflow is paused: it is not claimable, whatever else holds.';
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE tasks DROP paused;
      ALTER TABLE workflow_stages DROP compensation_task_id;
      DROP INDEX workflows_to_check;
      ALTER TABLE workflows DROP check_at, DROP deadline_at, DROP timeout;
    `);
  }
}
