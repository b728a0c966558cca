import type { MigrationInterface, QueryRunner } from 'typeorm';

const REACT_CRUD = {
  type: 'object',
  required: ['entities'],
  properties: {
    entities: {
      description: 'What there are pages and an API for, e.g. User.',
      type: 'array',
      items: { type: 'string' },
    },
    authentication: { description: 'How users prove who they are.', type: 'string' },
    database: { description: 'Where entities are kept.', type: 'string' },
  },
};

const EXPRESS_API = {
  type: 'object',
  properties: {
    entities: {
      description: 'What there are routes for, e.g. User.',
      type: 'array',
      items: { type: 'string' },
    },
    authentication: { description: 'How clients prove who they are.', type: 'string' },
    database: { description: 'Where entities are kept.', type: 'string' },
  },
};

/** Templates and their versions, with the two that the seed names; a task keeps the version it was checked by. */
export class Templates1700000005020 implements MigrationInterface {
  readonly name = 'Templates1700000005020';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE templates (
        id text NOT NULL,
        project_id text NOT NULL,
        version int NOT NULL,
        body_hash text NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (id, project_id)
      );
      COMMENT ON COLUMN templates.project_id IS 'A project, or * for what is built in.';
      COMMENT ON COLUMN templates.version IS 'The newest; what it holds is in template_versions.';
      COMMENT ON COLUMN templates.body_hash IS 'Of what was first posted: the id is an idempotency key.';
      CREATE INDEX templates_listed ON templates (project_id, created_at DESC, id DESC);

      CREATE TABLE template_versions (
        id text NOT NULL,
        project_id text NOT NULL,
        version int NOT NULL,
        name text NOT NULL,
        agent_type text,
        input_schema json NOT NULL,
        defaults json NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (id, project_id, version)
      );
      COMMENT ON COLUMN template_versions.input_schema IS 'json, not jsonb: it is answered as it was sent.';

      ALTER TABLE tasks ADD template_version int;
      COMMENT ON COLUMN tasks.template_version IS 'Of the template that input_data names: the version it was checked by.';
    `);
    await addBuiltIn(db, 'react-crud-template', 'React CRUD application', REACT_CRUD);
    await addBuiltIn(db, 'express-api', 'Express API', EXPRESS_API);
    await db.query('ANALYZE templates, template_versions');
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE tasks DROP template_version;
      DROP TABLE template_versions, templates;
    `);
  }
}

async function addBuiltIn(db: QueryRunner, id: string, name: string, schema: object): Promise<void> {
  await db.query(
    `INSERT INTO templates (id, project_id, version, body_hash, created_at)
     VALUES ($1, '*', 1, '', date_trunc('milliseconds', clock_timestamp()))`,
    [id],
  );
  await db.query(
    `INSERT INTO template_versions (id, project_id, version, name, agent_type, input_schema, defaults, created_at)
     VALUES ($1, '*', 1, $2, 'code_generation', $3, '{}', date_trunc('milliseconds', clock_timestamp()))`,
    [id, name, JSON.stringify(schema)],
  );
}
