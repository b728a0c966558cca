import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What agents say to each other: mailboxes, messages, requests, stored subscriptions, and what is delivered to URLs. */
export class AgentsTalk1700000005060 implements MigrationInterface {
  readonly name = 'AgentsTalk1700000005060';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE events ADD COLUMN mailbox text, ADD COLUMN is_private boolean NOT NULL DEFAULT false;
      COMMENT ON COLUMN events.mailbox IS 'Project and id of the agent to whom it is addressed: its mailbox holds it.';
      COMMENT ON COLUMN events.is_private IS 'Told to its mailbox alone, never to topics.';
      DROP INDEX events_of_target;
      CREATE INDEX events_of_mailbox ON events (mailbox, pos) WHERE mailbox IS NOT NULL;

      CREATE TABLE mailboxes (
        agent_id text NOT NULL,
        project_id text NOT NULL,
        acked_pos bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (agent_id, project_id)
      );
      COMMENT ON TABLE mailboxes IS 'One per agent that was ever registered: it stays when the agent leaves.';
      INSERT INTO mailboxes (agent_id, project_id) SELECT id, project_id FROM agents;

      CREATE TABLE messages (
        id text NOT NULL,
        project_id text NOT NULL,
        body_hash text NOT NULL,
        mailbox text NOT NULL,
        source_agent text,
        source_mailbox text,
        target_agent text NOT NULL,
        correlation_id text NOT NULL,
        expires_at timestamptz,
        expired_at timestamptz,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (id, project_id)
      );
      COMMENT ON TABLE messages IS 'What a message is, is its event; this keeps its id unique and its time to live.';
      COMMENT ON COLUMN messages.expires_at IS 'Null without a time to live, and from its end on.';
      CREATE INDEX messages_expiring ON messages (expires_at) WHERE expires_at IS NOT NULL;
      CREATE INDEX messages_by_age ON messages (created_at);

      CREATE TABLE requests (
        id text NOT NULL,
        project_id text NOT NULL,
        body_hash text NOT NULL,
        type text NOT NULL,
        source text,
        source_mailbox text,
        target text NOT NULL,
        mailbox text NOT NULL,
        correlation_id text NOT NULL,
        data json NOT NULL,
        timeout integer NOT NULL,
        deadline_at timestamptz NOT NULL,
        callback_url text,
        status text NOT NULL,
        response json,
        seq bigint NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        ended_at timestamptz,
        PRIMARY KEY (id, project_id)
      );
      COMMENT ON COLUMN requests.mailbox IS 'Project and id of the target.';
      CREATE INDEX requests_due ON requests (deadline_at) WHERE status = 'pending';
      CREATE INDEX requests_listed ON requests (project_id, created_at DESC, id DESC);
      CREATE INDEX requests_of_all ON requests (created_at DESC, id DESC, project_id DESC) WHERE project_id <> '';
      COMMENT ON INDEX requests_of_all IS 'Its condition keeps it to lists of all projects: those of one, which may be a small one, have their own.';
      CREATE INDEX requests_ended ON requests (ended_at) WHERE ended_at IS NOT NULL;

      CREATE TABLE subscriptions (
        id text NOT NULL,
        project_id text NOT NULL,
        agent_id text NOT NULL,
        agent_project text NOT NULL,
        topics text[] NOT NULL,
        filters json NOT NULL,
        webhook_url text,
        from_pos bigint NOT NULL,
        disabled_at timestamptz,
        disabled_reason text,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (id, project_id)
      );
      COMMENT ON COLUMN subscriptions.project_id IS 'Whose events it tells; * for those of all projects.';
      COMMENT ON COLUMN subscriptions.from_pos IS 'The end of the log when it was made.';
      COMMENT ON COLUMN subscriptions.disabled_at IS 'Nothing is sent to its webhook any more, for the reason beside it.';
      CREATE INDEX subscriptions_of_agent ON subscriptions (agent_id, agent_project, created_at DESC, id DESC);
      CREATE INDEX subscriptions_listed ON subscriptions (project_id, created_at DESC, id DESC);
      CREATE INDEX subscriptions_of_webhooks ON subscriptions (created_at) WHERE webhook_url IS NOT NULL AND disabled_at IS NULL;
    `);
    await db.query('ANALYZE mailboxes, messages, requests, subscriptions');
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP TABLE subscriptions, requests, messages, mailboxes;
      DROP INDEX events_of_mailbox;
      CREATE INDEX events_of_target ON events (project_id, target_agent, pos) WHERE target_agent IS NOT NULL;
      ALTER TABLE events DROP COLUMN mailbox, DROP COLUMN is_private;
    `);
  }
}
