import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What requests with an Idempotency-Key came to, for a day. */
export class IdempotencyKeys1700000005050 implements MigrationInterface {
  readonly name = 'IdempotencyKeys1700000005050';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE idempotency_keys (
        id bytea PRIMARY KEY,
        request_hash bytea NOT NULL,
        result bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp()
      );
      COMMENT ON COLUMN idempotency_keys.id IS 'Hash of client, method, path, key and effect: the key itself is stored nowhere.';
      COMMENT ON COLUMN idempotency_keys.result IS 'Sealed under the key, so that a secret in it is shown to nobody but who sends the key again.';
      CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
    `);
    await db.query('ANALYZE idempotency_keys');
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('DROP TABLE idempotency_keys');
  }
}
