import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which secret of its client a connection was opened with: a rotation ends it, and so does a client that is made anew. */
export class CredentialIds1700000005065 implements MigrationInterface {
  readonly name = 'CredentialIds1700000005065';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE clients ADD COLUMN credential_id text NOT NULL DEFAULT gen_random_uuid()::text;
      COMMENT ON COLUMN clients.credential_id IS 'Another one for each secret; tokens name it.';
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('ALTER TABLE clients DROP COLUMN credential_id');
  }
}
