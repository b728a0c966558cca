import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Health probes, search by capability, what an agent lost since its last call, and types of work that nobody serves. */
export class AgentsInFull1700000005010 implements MigrationInterface {
  readonly name = 'AgentsInFull1700000005010';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE agents
        ADD health_reason text,
        ADD probe_at timestamptz,
        ADD session_began_at timestamptz NOT NULL DEFAULT clock_timestamp();
      ALTER TABLE agents ALTER session_began_at DROP DEFAULT;
      COMMENT ON COLUMN agents.probe_at IS 'When health_check_url is asked next; whoever asks moves it on first, so that one process does.';
      CREATE INDEX agents_to_probe ON agents (probe_at) WHERE probe_at IS NOT NULL;
      CREATE INDEX agents_by_capability ON agents USING gin (capabilities);

      CREATE INDEX task_attempts_lost ON task_attempts (agent_id, ended_at)
        WHERE outcome IN ('cancelled', 'lease_expired', 'timed_out');

      CREATE TABLE unserved_types (
        project_id text NOT NULL,
        agent_type text NOT NULL,
        since timestamptz NOT NULL,
        alerted boolean NOT NULL DEFAULT false,
        PRIMARY KEY (project_id, agent_type)
      );
      COMMENT ON TABLE unserved_types IS 'Types with claimable tasks and no live agent: one row per episode, so that each is told once.';
    `);
    await db.query('ANALYZE unserved_types');
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP TABLE unserved_types;
      DROP INDEX task_attempts_lost, agents_by_capability, agents_to_probe;
      ALTER TABLE agents DROP session_began_at, DROP probe_at, DROP health_reason;
    `);
  }
}
