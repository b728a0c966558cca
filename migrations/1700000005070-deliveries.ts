import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What is sent to URLs that clients gave: the ledger of callbacks and webhooks, and how far the log was told to webhooks. */
export class Deliveries1700000005070 implements MigrationInterface {
  readonly name = 'Deliveries1700000005070';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE deliveries (
        id text NOT NULL,
        project_id text NOT NULL,
        kind text NOT NULL,
        request_id text,
        subscription_id text,
        event_id text,
        webhook_id text NOT NULL,
        url text NOT NULL,
        host text COLLATE "C" NOT NULL,
        agent_id text NOT NULL,
        agent_project text NOT NULL,
        body text NOT NULL,
        status text NOT NULL,
        attempt integer NOT NULL,
        next_attempt_at timestamptz,
        give_up_at timestamptz NOT NULL,
        last_status integer,
        last_error text,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        delivered_at timestamptz,
        PRIMARY KEY (id, project_id)
      );
      COMMENT ON COLUMN deliveries.project_id IS 'That of the request or of the subscription.';
      COMMENT ON COLUMN deliveries.host IS 'Host and port of the URL: deliveries to one do not hold up those to another.';
      COMMENT ON COLUMN deliveries.agent_id IS 'Whose secret signs it.';
      COMMENT ON COLUMN deliveries.attempt IS 'Tries so far; it fences what comes of an older one.';
      COMMENT ON COLUMN deliveries.next_attempt_at IS 'While one is being tried: when another process may take it for lost.';
      CREATE INDEX deliveries_due ON deliveries (host, next_attempt_at) WHERE status = 'pending';
      CREATE INDEX deliveries_listed ON deliveries (project_id, created_at DESC, id DESC);
      CREATE INDEX deliveries_of_agent ON deliveries (agent_id, agent_project, created_at DESC, id DESC);
      CREATE INDEX deliveries_by_age ON deliveries (created_at DESC, id DESC);
      CREATE INDEX deliveries_failed ON deliveries (created_at DESC, id DESC) WHERE status = 'failed';
      CREATE INDEX deliveries_of_request ON deliveries (request_id) WHERE request_id IS NOT NULL;
      CREATE INDEX deliveries_of_subscription ON deliveries (subscription_id, created_at DESC, id DESC)
        WHERE subscription_id IS NOT NULL;

      CREATE TABLE relay_cursors (
        name text PRIMARY KEY,
        pos bigint NOT NULL
      );
      COMMENT ON TABLE relay_cursors IS 'Up to which position of the log each relay has told it on; who holds the row is the relay.';
      INSERT INTO relay_cursors SELECT 'webhooks', coalesce(max(pos), 0) FROM events;
    `);
    await db.query('ANALYZE deliveries, relay_cursors');
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('DROP TABLE deliveries, relay_cursors');
  }
}
