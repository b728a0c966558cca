import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ClaimFloors, type Floor } from '../../src/tasks/claim-floors.js';
import { claimTasks } from '../../src/tasks/persistence/claim-rows.js';
import { Routes } from '../../src/tasks/routes.js';
import { AgentsApi, idsOf, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let app: TestApp;
let api: AgentsApi;

beforeAll(async () => {
  database = await createDatabase();
  app = await startApp({ database });
  api = await AgentsApi.of(app);
});
afterAll(async () => {
  await app.close();
  await database.drop();
});

interface Plan {
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
}

/** Tasks as they were posted: all but the ids, routes and times of one that was. */
async function multiply(model: string, count: number): Promise<void> {
  await api.query(
    `INSERT INTO tasks (id, project_id, type, agent_type, status, priority, timeout, retry_policy, on_agent_unavailable,
       on_dependency_failure, correlation_id, route, rank, vtime, claimable, body_hash, seq, created_at, updated_at)
     SELECT m.id || '-' || n, m.project_id, m.type, m.agent_type, 'queued', m.priority, 60, m.retry_policy, 'queue', 'fail',
       m.id || '-' || n, m.route, m.rank, m.vtime + n, true, '', 1, m.created_at, m.updated_at
     FROM tasks m, generate_series(1, $2::int) AS n WHERE m.id = $1`,
    [model, count],
  );
  await api.query('ANALYZE tasks');
}

/** A value of a statement as SQL; a list as `{a,b}`. */
function literal(value: unknown): string {
  return pg.escapeLiteral(Array.isArray(value) ? `{${value.join(',')}}` : String(value));
}

/** Pages that Postgres touches for a claim of one agent, which is not kept. */
async function pagesOfClaim(
  client: pg.Client,
  agent: { id: string; type: string },
  floor?: Floor,
): Promise<number> {
  const routes = app.app.get(Routes, { strict: false }).of({ ...agent, project_id: '*', capabilities: [] });
  const want = { agentId: agent.id, agentProject: '*', sessionEpoch: 1, want: 1, capacity: 10 };
  const { text, values = [] } = claimTasks(
    [want],
    routes,
    { now: new Date().toISOString(), leaseSeconds: 90, share: 1 },
    floor && routes.map(() => floor),
  );
  // Prepared, as the server's are, so that Postgres plans it as it does theirs.
  await client.query(`PREPARE claim AS ${text}`);
  let pages = 0;
  for (let run = 0; run < 5; run += 1) {
    await client.query('BEGIN');
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE claim(${values.map(literal).join(', ')})`,
    );
    await client.query('ROLLBACK');
    const plan = rows[0]?.['QUERY PLAN'][0].Plan;
    pages = (plan?.['Shared Hit Blocks'] ?? 0) + (plan?.['Shared Read Blocks'] ?? 0);
  }
  await client.query('DEALLOCATE claim');
  return pages;
}

describe('a claim beside 100,000 tasks that need a capability nobody has', () => {
  it('costs at most half as much again as one without them', async () => {
    const agent = await api.member();
    const own = await api.call('POST', '/tasks', { type: agent.type });
    await multiply(String(own.body['id']), 1_000);
    const client = new pg.Client(database.connection.writing('pages'));
    await client.connect();
    const alone = await pagesOfClaim(client, agent);
    const other = await api.call('POST', '/tasks', {
      type: agent.type,
      required_capabilities: ['nobody-has-it'],
    });
    await multiply(String(other.body['id']), 100_000);
    const beside = await pagesOfClaim(client, agent);
    await client.end();
    process.stdout.write(`pages of a claim: ${alone} alone, ${beside} beside 100,000 others\n`);
    expect(beside / alone).toBeLessThanOrEqual(1.5);
    const { body } = await api.call('POST', `/agents/${agent.id}/claim`, { max_tasks: 5 }, agent.token);
    expect(body['items']).toHaveLength(5);
  }, 60_000);
});

describe('claims while somebody reads for long', () => {
  /** A snapshot that is held, and so many claims that Postgres may not clear away after. */
  async function behindASnapshot(): Promise<{ agent: Member; reader: pg.Client; last: Floor }> {
    const agent = await api.member({ configuration: { max_concurrent_tasks: 1000 } });
    const own = await api.call('POST', '/tasks', { type: agent.type });
    await multiply(String(own.body['id']), 6_000);
    const reader = new pg.Client(database.connection.direct('reader'));
    await reader.connect();
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await reader.query('SELECT count(*) FROM tasks');
    const [last] = await api.query<Floor>(
      `WITH gone AS (
         UPDATE tasks t SET status = 'completed', claimable = false WHERE t.id IN (
           SELECT id FROM tasks WHERE type = $1 AND claimable ORDER BY rank, vtime, id LIMIT 5000)
         RETURNING t.rank, t.vtime)
       SELECT rank, vtime FROM gone ORDER BY rank DESC, vtime DESC LIMIT 1`,
      [agent.type],
    );
    if (last === undefined) throw new Error('nothing was claimed');
    return { agent, reader, last };
  }

  it('begin where the last one ended, and so cost what they cost before', async () => {
    const { agent, reader, last } = await behindASnapshot();
    const client = new pg.Client(database.connection.writing('pages'));
    await client.connect();
    const fromTheBeginning = await pagesOfClaim(client, agent);
    const fromTheFloor = await pagesOfClaim(client, agent, last);
    await client.end();
    await reader.end();
    process.stdout.write(
      `pages of a claim behind 5,000 dead ones: ${fromTheBeginning}, from the floor ${fromTheFloor}\n`,
    );
    expect(fromTheFloor * 10).toBeLessThan(fromTheBeginning);
  });

  it('miss nothing for it: not what comes before the floor, nor what stood there', async () => {
    const agent = await api.member({ configuration: { max_concurrent_tasks: 1000 } });
    const floors = app.app.get(ClaimFloors, { strict: false });
    const claim = async (max = 1): Promise<string[]> =>
      idsOf(await api.call('POST', `/agents/${agent.id}/claim`, { max_tasks: max }, agent.token)) as string[];
    const post = async (more: object = {}): Promise<string> =>
      String((await api.call('POST', '/tasks', { type: agent.type, ...more })).body['id']);
    const reader = new pg.Client(database.connection.direct('reader'));
    await reader.connect();
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await reader.query('SELECT 1 FROM tasks LIMIT 1');
    const writer = new pg.Client(database.connection.direct('writer'));
    await writer.connect();
    for (let n = 0; n < 2_100; n += 1) await writer.query('SELECT pg_current_xact_id()');
    await writer.end();
    await floors.look();
    const routes = (): { id: number }[] =>
      app.app.get(Routes, { strict: false }).of({ ...agent, project_id: '*', capabilities: [] });

    const [first, second] = [await post(), await post()];
    expect(await claim()).toEqual([first]);
    // The sweep may just have dropped it.
    if (floors.of(routes()) === undefined)
      floors.raise([{ route: routes()[0]?.id ?? 0, rank: 2, vtime: Date.now() * 1000 }]);
    expect(floors.of(routes())).toBeDefined();
    const urgent = await post({ priority: 'critical' });
    expect(await claim(2)).toEqual([urgent, second]);

    const older = await post();
    await api.query('UPDATE tasks SET vtime = 1 WHERE id = $1', [older]);
    floors.raise([{ route: routes()[0]?.id ?? 0, rank: 3, vtime: 0 }]);
    expect(await claim()).toEqual([older]);
    await reader.end();
    await floors.look();
    await post();
    await claim();
    expect(floors.of(routes())).toBeUndefined();
  });
});

describe('an agent of all projects', () => {
  it('is given work of every project that has some, in turn, 32 at a time', async () => {
    const agent = await api.member({ configuration: { max_concurrent_tasks: 1000 } });
    const projects = Array.from({ length: 70 }, (_, n) => `turn-${String(n).padStart(2, '0')}`);
    for (const project of projects)
      await api.call('POST', '/tasks', { type: agent.type, project_id: project });
    // In some of them somebody else's work.
    for (const project of projects.slice(0, 20))
      await api.call('POST', '/tasks', { type: 'somebody-elses', project_id: project });
    const given: string[] = [];
    for (let claim = 0; claim < 3; claim += 1) {
      const answer = await api.call('POST', `/agents/${agent.id}/claim`, { max_tasks: 100 }, agent.token);
      const items = answer.body['items'] as { project_id: string }[];
      expect(items.length).toBeLessThanOrEqual(32);
      given.push(...items.map((item) => item.project_id));
    }
    expect(given.toSorted()).toEqual(projects);
  });

  it('finds the one project of many that has work', async () => {
    const agent = await api.member();
    for (let n = 0; n < 40; n += 1) {
      const posted = await api.call('POST', '/tasks', { type: agent.type, project_id: `idle-${n}` });
      await api.call('POST', `/tasks/${String(posted.body['id'])}/cancel?project_id=idle-${n}`);
    }
    const { body } = await api.call('POST', '/tasks', { type: agent.type, project_id: 'idle-17' });
    const answer = await api.call('POST', `/agents/${agent.id}/claim`, { wait_ms: 0 }, agent.token);
    expect(idsOf(answer)).toEqual([body['id']]);
  });
});
