import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { listWorkflows } from '../../src/workflows/persistence/workflow-reads.js';
import { TaskList } from '../../src/tasks/persistence/task-list.js';
import type { Statement } from '../../src/platform/database/statement.js';
import { startApp, type TestApp } from '../support/app.js';
import { until } from '../support/wait-for.js';
import { type Answer, type Json, WorkflowsApi } from '../support/workflows-api.js';

const MIB = 1024 * 1024;

describe('lists', () => {
  let app: TestApp;
  let api: WorkflowsApi;
  let database: pg.Client;

  beforeAll(async () => {
    app = await startApp();
    api = await WorkflowsApi.of(app);
    // As the server reads.
    database = new pg.Client(app.database.connection.serving('test'));
    await database.connect();
  });
  afterAll(async () => {
    await database.end();
    await app.close();
  });

  /** Every item of a list, page by page, and how many each page had. */
  async function walk(path: string): Promise<{ items: Json[]; pages: number[] }> {
    const items: Json[] = [];
    const pages: number[] = [];
    for (let next: string | undefined = path; next !== undefined;) {
      const answer: Answer = await api.call('GET', next);
      expect(answer.status).toBe(200);
      const { items: page, next_cursor: cursor } = answer.body as {
        items: Json[];
        next_cursor: string | null;
      };
      items.push(...page);
      pages.push(page.length);
      next = cursor === null ? undefined : `${path}&cursor=${cursor}`;
    }
    return { items, pages };
  }

  const keysOf = (items: Json[]): string[] =>
    items.map((item) => `${String(item['project_id'])}/${String(item['id'])}`).toSorted(byText);

  it.each(['tasks', 'workflows'])('of %s show the same id of several projects, each once', async (what) => {
    const correlation = api.unique('page');
    const ids = Array.from({ length: 5 }, (_, index) => `same-${index}`);
    const keys = ['page-a', 'page-b', 'page-c'].flatMap((project) => ids.map((id) => ({ project, id })));
    const body =
      what === 'tasks' ? { type: 'page' } : { name: 'x', stages: [{ name: 'a', agent_type: 'page' }] };
    await Promise.all(
      keys.map(({ project, id }) =>
        api.call('POST', `/${what}`, { ...body, id, project_id: project, correlation_id: correlation }),
      ),
    );
    // Made in one transaction, or as if they were.
    await database.query(
      `UPDATE ${what} SET created_at = date_trunc('second', created_at) WHERE correlation_id = $1`,
      [correlation],
    );
    for (const limit of [1, 2, 4, 200]) {
      const { items } = await walk(`/${what}?limit=${limit}&correlation_id=${correlation}`);
      const mine = items.filter((item) => String(item['id']).startsWith('same-'));
      expect(keysOf(mine)).toEqual(keys.map(({ project, id }) => `${project}/${id}`).toSorted(byText));
    }
  });

  describe('of large things', () => {
    it('end their pages early, and lose nothing', async () => {
      const type = api.unique('large');
      const project = api.unique('large-project');
      const text = 'x'.repeat(900_000);
      for (let made = 0; made < 24; made += 1)
        await api.call('POST', '/tasks', { type, project_id: project, input_data: { text, made } });
      const tasks = await walk(`/tasks?limit=200&project_id=${project}`);
      expect(tasks.pages).toEqual([19, 5]);
      expect(tasks.items.map((task) => (task['input_data'] as { made: number }).made)).toEqual(
        Array.from({ length: 24 }, (_, index) => 23 - index),
      );
      for (let made = 0; made < 24; made += 1) {
        const stages = [{ name: 'a', agent_type: type }];
        await api.call('POST', '/workflows', { name: 'x', stages, project_id: project, metadata: { text } });
      }
      const workflows = await walk(`/workflows?limit=200&project_id=${project}`);
      expect(workflows.pages).toEqual([19, 5]);
      expect(new Set(keysOf(workflows.items)).size).toBe(24);
    });

    it('show outputs to 16 MiB, and say where the others are', async () => {
      const graph = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`s${index}`, []]));
      const { id, type } = await api.start(graph);
      const worker = await api.agent(type);
      const output = { text: 'x'.repeat(MIB - 1_000) };
      for (const item of await worker.claim(20)) await worker.complete(item, output);
      await until(async () => (await api.statusOf(id)) === 'completed');
      const { stages } = (await api.get(id)) as unknown as { stages: Json[] };
      const omitted = stages.filter((stage) => stage['output_omitted'] === true);
      expect(omitted.map((stage) => stage['name'])).toEqual(['s16', 's17', 's18', 's19']);
      expect(stages.filter((stage) => stage['output'] === null)).toEqual(omitted);
      const result = await api.call('GET', `/workflows/${id}/result`);
      expect(result.body['omitted_stages']).toEqual(['s16', 's17', 's18', 's19']);
      const [{ task_id: task } = {}] = omitted;
      const given = await api.call('GET', `/tasks/${String(task)}/result`);
      expect(JSON.stringify(given.body)).toContain(output.text);
      expect((await api.start({ a: [] })).id).toBeDefined();
      const { pages } = await walk(
        `/workflows?limit=200&created_after=${String((await api.get(id))['created_at'])}`,
      );
      expect(pages).toEqual([1]);
    });
  });

  describe('of very many', () => {
    beforeAll(async () => {
      for (const table of ['tasks', 'workflows']) {
        const { rows } = await database.query<{ names: string }>(
          `SELECT string_agg(column_name, ', ') AS names FROM information_schema.columns
            WHERE table_name = $1 AND column_name NOT IN ('id', 'project_id', 'created_at', 'correlation_id', 'stage_name')`,
          [table],
        );
        const others = String(rows[0]?.names);
        await database.query(
          `INSERT INTO ${table} (id, project_id, created_at, correlation_id, ${others})
            SELECT 'many-' || n, 'many-' || n % 10, t.created_at - n * interval '1 ms', 'c-' || n / 100, ${others}
            FROM (SELECT * FROM ${table} ORDER BY octet_length(${table}::text) LIMIT 1) t, generate_series(1, 50000) n`,
        );
        await database.query(`ANALYZE ${table}`);
      }
    });

    const from = { createdAt: '2026-01-01T00:00:00.000Z', id: 'many-5/many-5' };
    const after = { createdAt: '2999-01-01T00:00:00.000Z', id: 'many-5/many-5' };
    const lists: [string, Statement][] = [null, 'many-3'].flatMap((project) =>
      [
        {},
        { status: 'failed' },
        { correlation_id: 'c-7' },
        { created_after: '2026-01-01T00:00:00.000Z' },
      ].flatMap((filter) =>
        [undefined, from, after].flatMap((key): [string, Statement][] => {
          const about = `of ${project ?? 'all projects'} by ${JSON.stringify(filter)} from ${key?.createdAt}`;
          return [
            [`tasks ${about}`, new TaskList(project, filter, key).rows(51)],
            [`workflows ${about}`, listWorkflows(project, filter, key, 51)],
          ];
        }),
      ),
    );

    it.each(lists)('read no more than they show: %s', async (_about, { name, text, values = [] }) => {
      // Postgres cuts longer ones, and two texts would have one name.
      expect(`${name}/1000`.length).toBeLessThan(64);
      const { rows } = await database.query<Record<string, { Plan: PlanNode }[]>>(
        `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`,
        [...values],
      );
      const plan = rows[0]?.['QUERY PLAN']?.[0]?.Plan;
      if (plan === undefined) throw new Error('no plan');
      expect(Math.max(...nodesOf(plan).map(rowsRead))).toBeLessThan(1_000);
    });
  });
});

interface PlanNode {
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

function nodesOf(plan: PlanNode): PlanNode[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

function rowsRead(node: PlanNode): number {
  return (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
}

const byText = (a: string, b: string): number => a.localeCompare(b);
