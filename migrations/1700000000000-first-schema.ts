import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The schema of DESIGN §4. Primary keys are (id, project_id): they find an id over all projects for a `*` token.
 * Columns that heartbeats and renewals touch carry no index, so that those updates stay HOT.
 */
export class FirstSchema1700000000000 implements MigrationInterface {
  readonly name = 'FirstSchema1700000000000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE server_settings (
        name text PRIMARY KEY,
        value text NOT NULL
      );
      COMMENT ON TABLE server_settings IS 'Facts made once per database: the log epoch, the lease key.';

      CREATE TABLE server_pulse (
        id smallint PRIMARY KEY CHECK (id = 1),
        beat_at timestamptz NOT NULL
      ) WITH (fillfactor = 50);
      COMMENT ON TABLE server_pulse IS 'Touched each second by any process; a gap is an outage of ours and is credited to every lease.';

      CREATE TABLE signing_keys (
        kid text PRIMARY KEY,
        private_pem text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp()
      );

      CREATE TABLE clients (
        client_id text PRIMARY KEY,
        project_id text NOT NULL,
        name text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('admin', 'client', 'agent')),
        agent_id text,
        secret_hash bytea NOT NULL,
        scope text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp()
      );
      CREATE INDEX clients_of_project ON clients (project_id, created_at);

      CREATE TABLE agents (
        id text NOT NULL,
        project_id text NOT NULL,
        type text NOT NULL,
        name text,
        version text,
        capabilities text[] NOT NULL DEFAULT '{}',
        health_check_url text,
        configuration jsonb NOT NULL DEFAULT '{}',
        metadata jsonb,
        capacity int NOT NULL,
        health text NOT NULL DEFAULT 'unknown' CHECK (health IN ('healthy', 'unhealthy', 'unknown')),
        liveness text NOT NULL CHECK (liveness IN ('active', 'suspect', 'offline')),
        draining boolean NOT NULL DEFAULT false,
        session_epoch int NOT NULL,
        last_seen timestamptz NOT NULL,
        lease_until timestamptz NOT NULL,
        performance_metrics jsonb,
        webhook_secret text NOT NULL,
        seq bigint NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        PRIMARY KEY (id, project_id)
      ) WITH (fillfactor = 60);
      CREATE INDEX agents_listed ON agents (project_id, created_at DESC, id DESC);
      CREATE INDEX agents_by_type ON agents (project_id, type, created_at DESC, id DESC);
      CREATE INDEX agents_alive ON agents (id, project_id) WHERE liveness <> 'offline';

      CREATE TABLE routes (
        id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        project_id text NOT NULL,
        agent_type text NOT NULL,
        capabilities text[] NOT NULL,
        assigned_agent text NOT NULL DEFAULT '',
        UNIQUE (project_id, agent_type, capabilities, assigned_agent)
      );
      COMMENT ON TABLE routes IS 'Who may take a task: (project, agent type, required capabilities, assigned agent) as one small integer.';

      CREATE TABLE workflows (
        id text NOT NULL,
        project_id text NOT NULL,
        name text NOT NULL,
        status text NOT NULL CHECK (status IN ('pending','running','paused','compensating','completed','failed','cancelled')),
        configuration jsonb NOT NULL,
        input_data jsonb,
        metadata jsonb,
        error jsonb,
        correlation_id text NOT NULL,
        body_hash text NOT NULL,
        run int NOT NULL DEFAULT 1,
        seq bigint NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        ended_at timestamptz,
        PRIMARY KEY (id, project_id)
      ) WITH (fillfactor = 80);
      CREATE INDEX workflows_listed ON workflows (project_id, created_at DESC, id DESC);
      CREATE INDEX workflows_by_status ON workflows (project_id, status, created_at DESC, id DESC);

      CREATE TABLE workflow_stages (
        workflow_id text NOT NULL,
        project_id text NOT NULL,
        name text NOT NULL,
        position int NOT NULL,
        definition jsonb NOT NULL,
        status text NOT NULL CHECK (status IN ('pending','running','completed','failed','skipped','cancelled','compensated')),
        task_id text,
        started_at timestamptz,
        ended_at timestamptz,
        output jsonb,
        error jsonb,
        PRIMARY KEY (workflow_id, project_id, name)
      ) WITH (fillfactor = 80);

      CREATE TABLE tasks (
        id text NOT NULL,
        project_id text NOT NULL,
        type text NOT NULL,
        agent_type text NOT NULL,
        status text NOT NULL CHECK (status IN ('blocked','queued','assigned','in_progress','completed','failed','cancelled')),
        priority text NOT NULL CHECK (priority IN ('low','normal','high','critical')),
        requested_agent text,
        assigned_agent text,
        agent_project text,
        session_epoch int,
        parent_workflow_id text,
        stage_name text,
        stage_run int,
        input_data jsonb,
        dependencies text[] NOT NULL DEFAULT '{}',
        required_capabilities text[] NOT NULL DEFAULT '{}',
        timeout int NOT NULL,
        retry_policy jsonb NOT NULL,
        not_before timestamptz,
        fairness_key text,
        on_agent_unavailable text NOT NULL,
        on_dependency_failure text NOT NULL,
        correlation_id text NOT NULL,
        metadata jsonb,
        progress real,
        attempt int NOT NULL DEFAULT 0,
        attempts_forgiven int NOT NULL DEFAULT 0,
        output_data jsonb,
        error jsonb,
        estimated_completion timestamptz,
        route int NOT NULL,
        rank smallint NOT NULL,
        vtime bigint NOT NULL,
        claimable boolean NOT NULL,
        available_at timestamptz,
        assigned_at timestamptz,
        lease_until timestamptz,
        deadline_at timestamptz,
        check_at timestamptz,
        settled boolean NOT NULL DEFAULT true,
        awaited boolean NOT NULL DEFAULT false,
        body_hash text NOT NULL,
        seq bigint NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        started_at timestamptz,
        ended_at timestamptz,
        PRIMARY KEY (id, project_id)
      ) WITH (fillfactor = 70);
      COMMENT ON COLUMN tasks.attempt IS 'Only ever grows: it is the fencing token.';
      COMMENT ON COLUMN tasks.attempts_forgiven IS 'Attempts that do not count against retry_policy.max_attempts (handed back, redriven).';
      COMMENT ON COLUMN tasks.agent_project IS 'Project of the holder: an agent of * may hold tasks of any project.';
      COMMENT ON COLUMN tasks.awaited IS 'Another task depends on this one, so its end is not settled at once.';
      COMMENT ON COLUMN tasks.check_at IS 'A lower bound of the moment the lease or the deadline may pass; renewals leave it alone, the sweep moves it.';
      CREATE INDEX tasks_claimable ON tasks (project_id, route, rank, vtime, id) WHERE claimable;
      CREATE INDEX tasks_held ON tasks (assigned_agent, agent_project) WHERE status IN ('assigned', 'in_progress');
      CREATE INDEX tasks_to_check ON tasks (check_at) WHERE status IN ('assigned', 'in_progress');
      CREATE INDEX tasks_waiting ON tasks (available_at) WHERE status = 'queued' AND NOT claimable;
      CREATE INDEX tasks_unsettled ON tasks (ended_at) WHERE NOT settled;
      CREATE INDEX tasks_of_workflow ON tasks (parent_workflow_id, project_id) WHERE parent_workflow_id IS NOT NULL;
      CREATE UNIQUE INDEX tasks_one_per_stage ON tasks (parent_workflow_id, project_id, stage_name, stage_run) WHERE stage_name IS NOT NULL;
      CREATE INDEX tasks_listed ON tasks (project_id, created_at DESC, id DESC);
      CREATE INDEX tasks_by_status ON tasks (project_id, status, created_at DESC, id DESC) WHERE status <> 'completed';

      CREATE TABLE task_dependencies (
        task_id text NOT NULL,
        project_id text NOT NULL,
        depends_on text NOT NULL,
        PRIMARY KEY (depends_on, project_id, task_id)
      );

      CREATE TABLE task_attempts (
        task_id text NOT NULL,
        project_id text NOT NULL,
        attempt int NOT NULL,
        agent_id text NOT NULL,
        assigned_at timestamptz NOT NULL,
        ended_at timestamptz NOT NULL,
        outcome text NOT NULL,
        error jsonb,
        PRIMARY KEY (task_id, project_id, attempt)
      );
      COMMENT ON TABLE task_attempts IS 'One row per attempt, written when it ends; the running one is in tasks.';

      CREATE SEQUENCE events_pos;
      CREATE TABLE events (
        pos bigint NOT NULL DEFAULT nextval('events_pos'),
        project_id text NOT NULL,
        id text NOT NULL,
        type text NOT NULL,
        topic text NOT NULL,
        aggregate_id text NOT NULL,
        seq bigint NOT NULL,
        source_agent text,
        target_agent text,
        correlation_id text NOT NULL,
        payload json NOT NULL,
        created_at timestamptz NOT NULL
      ) PARTITION BY RANGE (pos);
      COMMENT ON COLUMN events.payload IS 'json, not jsonb: it is written and read whole, and keeps its text.';
      CREATE TABLE events_p0 PARTITION OF events FOR VALUES FROM (0) TO (10000000);
      CREATE TABLE events_rest PARTITION OF events DEFAULT;
      CREATE INDEX events_by_project ON events (project_id, pos);
      CREATE INDEX events_by_pos ON events (pos);
      CREATE INDEX events_of_target ON events (project_id, target_agent, pos) WHERE target_agent IS NOT NULL;
      CREATE INDEX events_of_aggregate ON events (aggregate_id, project_id, seq);

      INSERT INTO server_pulse (id, beat_at) VALUES (1, clock_timestamp());
    `);
    // Plans that are prepared on never-analysed tables cost twice the CPU (measured).
    await db.query('ANALYZE');
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP TABLE events, task_attempts, task_dependencies, tasks, workflow_stages, workflows, routes, agents,
        clients, signing_keys, server_pulse, server_settings;
      DROP SEQUENCE events_pos;
    `);
  }
}
