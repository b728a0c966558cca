// The same work without a server: task and event as one prepared statement, by pgbench or, where there is none, by pg.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';

const run = promisify(execFile);

const COPIES = `
  DROP SCHEMA IF EXISTS yardstick CASCADE;
  CREATE SCHEMA yardstick;
  CREATE TABLE yardstick.tasks (LIKE public.tasks INCLUDING ALL) WITH (fillfactor = 70);
  CREATE SEQUENCE yardstick.events_pos;
  CREATE TABLE yardstick.events (LIKE public.events INCLUDING ALL) PARTITION BY RANGE (pos);
  ALTER TABLE yardstick.events ALTER pos SET DEFAULT nextval('yardstick.events_pos');
  CREATE TABLE yardstick.events_p0 PARTITION OF yardstick.events FOR VALUES FROM (0) TO (10000000);
  CREATE TABLE yardstick.events_rest PARTITION OF yardstick.events DEFAULT;
  ANALYZE`;

const NEW_ID = 'uuidv7()::text';
const NOW = 'clock_timestamp()';

/** Copies of the two tables, and what writes to them what POSTing `task` wrote. */
export async function openYardstick(bed, task) {
  const { id } = await bed.server.api.post('/tasks', task);
  await bed.query(COPIES);
  const taskRow = await literals(bed, 'tasks', 'id', id);
  const eventRow = await literals(bed, 'events', 'aggregate_id', id);
  const statement = `
    WITH task AS (${insert('tasks', { ...taskRow, id: NEW_ID, created_at: NOW, updated_at: NOW })} RETURNING id)
    ${insert('events', { ...eventRow, id: NEW_ID, aggregate_id: 'id', created_at: NOW })} FROM task`;
  const name = await pgbenchOrPg();
  return {
    name,
    /** @returns statements a second */
    run: (callers, seconds) =>
      name === 'pgbench'
        ? pgbench(bed, statement, callers, seconds)
        : pgLoop(bed, statement, callers, seconds),
  };
}

/** A row as SQL, column by column. Without colons, which mean a variable to pgbench. */
async function literals(bed, table, key, id) {
  const columns = await bed.query(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'pos' ORDER BY attnum`,
    [`public.${table}`],
  );
  const [row] = await bed.query(
    `SELECT ${columns.map(({ name }) => `${name}::text`).join(', ')} FROM ${table} WHERE ${key} = $1`,
    [id],
  );
  const literal = (text) =>
    `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''").replaceAll(':', '\\x3a')}'`;
  return Object.fromEntries(
    columns.map(({ name, type }) => {
      const value = row[name] === null ? 'NULL' : literal(row[name]);
      return [name, `CAST(${value} AS ${type})`];
    }),
  );
}

const insert = (table, row) =>
  `INSERT INTO yardstick.${table} (${Object.keys(row).join(', ')}) SELECT ${Object.values(row).join(', ')}`;

async function pgbenchOrPg() {
  try {
    await run('pgbench', ['--version']);
    return 'pgbench';
  } catch {
    return 'pg';
  }
}

async function pgbench(bed, statement, callers, seconds) {
  const { host, port, user, password, database } = bed.postgres.connection;
  const script = join(bed.dataDir, 'yardstick.sql');
  writeFileSync(script, `${statement.replaceAll(/\s+/g, ' ')};\n`);
  const threads = Math.min(callers, 2);
  // Its clock runs while it connects, which takes a busy machine a second.
  const forSeconds = Math.ceil(seconds + callers / 32);
  const load = ['-n', '-M', 'prepared', '-f', script, '-c', callers, '-j', threads, '-T', forSeconds];
  const { stdout } = await run(
    'pgbench',
    [...load, '-h', host, '-p', port, '-U', user, database].map(String),
    {
      env: { ...process.env, PGPASSWORD: password },
    },
  );
  const rate = /^tps = ([\d.]+)/m.exec(stdout)?.[1];
  if (rate === undefined) throw new Error(`pgbench said no rate: ${stdout}`);
  return Number(rate);
}

async function pgLoop(bed, statement, callers, seconds) {
  const clients = Array.from({ length: callers }, () => new pg.Client(bed.postgres.connection));
  await Promise.all(clients.map((client) => client.connect()));
  let count = 0;
  const startedAt = performance.now();
  const passed = () => (performance.now() - startedAt) / 1000;
  const loop = async (client) => {
    for (; passed() < seconds; count += 1) await client.query({ name: 'yardstick', text: statement });
  };
  await Promise.all(clients.map(loop));
  const rate = count / passed();
  await Promise.all(clients.map((client) => client.end()));
  return rate;
}
