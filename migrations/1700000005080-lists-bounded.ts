import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Sizes, so that an answer is bounded without reading what it leaves out; and workflows by correlation id. */
export class ListsBounded1700000005080 implements MigrationInterface {
  readonly name = 'ListsBounded1700000005080';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE workflows ADD posted_bytes int NOT NULL DEFAULT 0;
      COMMENT ON COLUMN workflows.posted_bytes IS 'Of what was posted, as JSON.';
      ALTER TABLE workflow_stages ADD output_bytes int NOT NULL DEFAULT 0;
      COMMENT ON COLUMN workflow_stages.output_bytes IS 'Of the output as JSON; 0 without one.';
      UPDATE workflow_stages SET output_bytes = octet_length(output::text) WHERE output IS NOT NULL;
      CREATE INDEX workflows_by_correlation ON workflows (project_id, correlation_id, created_at DESC, id DESC)
        WHERE correlation_id <> id;
    `);
    await db.query('ANALYZE workflows, workflow_stages');
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP INDEX workflows_by_correlation;
      ALTER TABLE workflow_stages DROP output_bytes;
      ALTER TABLE workflows DROP posted_bytes;
    `);
  }
}
