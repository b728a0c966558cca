import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Positions of one partition; a handful of them lies ahead of the log. */
const WIDTH = 1_000_000;
const AHEAD = 3;

/**
 * The log in partitions that can be dropped. There was one of ten million positions and one for all the rest: a log
 * would have to grow that long before anything of it could go, and while there is a DEFAULT partition none can be
 * attached or detached without stopping the writers.
 */
export class Retention1700000005040 implements MigrationInterface {
  readonly name = 'Retention1700000005040';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE log_start (
        id smallint PRIMARY KEY CHECK (id = 1),
        pos bigint NOT NULL,
        moved_at timestamptz NOT NULL
      );
      COMMENT ON TABLE log_start IS 'Events up to and with this position are not there any more, or soon will not be: whoever reads from before it is told of a gap.';
      INSERT INTO log_start VALUES (1, 0, clock_timestamp());

      DO $$
      DECLARE
        top bigint := (SELECT coalesce(max(pos), 0) / ${WIDTH} + 1 FROM events) * ${WIDTH};
        at bigint;
      BEGIN
        ALTER TABLE events DETACH PARTITION events_rest;
        ALTER TABLE events DETACH PARTITION events_p0;
        IF top > 10000000 THEN
          ALTER TABLE events ATTACH PARTITION events_p0 FOR VALUES FROM (0) TO (10000000);
          ALTER TABLE events_rest RENAME TO events_p10000000;
          EXECUTE format('ALTER TABLE events ATTACH PARTITION events_p10000000 FOR VALUES FROM (10000000) TO (%s)', top);
        ELSE
          DROP TABLE events_rest;
          EXECUTE format('ALTER TABLE events ATTACH PARTITION events_p0 FOR VALUES FROM (0) TO (%s)', top);
        END IF;
        FOR ahead IN 0..${AHEAD - 1} LOOP
          at := top + ahead * ${WIDTH};
          EXECUTE format('CREATE TABLE events_p%s PARTITION OF events FOR VALUES FROM (%s) TO (%s)', at, at, at + ${WIDTH});
        END LOOP;
      END $$;
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE events_rest PARTITION OF events DEFAULT;
      DROP TABLE log_start;
    `);
  }
}
