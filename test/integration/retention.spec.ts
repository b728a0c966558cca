import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { LogUpkeepSweep } from '../../src/events/jobs/log-upkeep.sweep.js';
import { TaskRetention } from '../../src/tasks/jobs/retention.sweep.js';
import { WorkflowRetention } from '../../src/workflows/jobs/retention.sweep.js';
import { AgentsApi, type Answer, idsOf } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { writeEvents } from '../support/log-writes.js';
import { TestSocket } from '../support/sockets.js';
import { until } from '../support/wait-for.js';
import { WorkflowsApi } from '../support/workflows-api.js';

const ENV = { EVENT_RETENTION_DAYS: '10' };

describe('retention', () => {
  let app: TestApp;
  let api: AgentsApi;
  let look: pg.Client;
  const clients: pg.Client[] = [];

  async function client(): Promise<pg.Client> {
    const made = new pg.Client(app.database.connection.direct('look'));
    clients.push(made);
    await made.connect();
    return made;
  }

  beforeEach(async () => {
    app = await startApp({ env: ENV });
    api = await AgentsApi.of(app);
    look = await client();
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((one) => one.end()));
    await app.close();
  });

  const read = (query: string): Promise<Answer> => api.call('GET', `/events?${query}`);
  const next = (page: Answer): string => String(page.body['next_cursor']);

  describe('of the log', () => {
    const upkeep = (server = app): Promise<void> => server.app.get(LogUpkeepSweep, { strict: false }).look();
    const age = (days: number, upTo: string): Promise<unknown> =>
      look.query(
        `UPDATE events SET created_at = clock_timestamp() - make_interval(days => $1)
         WHERE pos <= (SELECT pos FROM events WHERE id = $2)`,
        [days, upTo],
      );
    const partitions = async (): Promise<string[]> => {
      const { rows } = await look.query<{ name: string }>(
        `SELECT relname AS name FROM pg_class WHERE relname ~ '^events_p\\d+$' AND relkind = 'r' ORDER BY length(relname), relname`,
      );
      return rows.map(({ name }) => name);
    };
    const graceIsOver = (): Promise<unknown> =>
      look.query(`UPDATE log_start SET moved_at = moved_at - interval '2 minutes'`);

    /** Writes events and makes them 11 days old, in a partition of their own. */
    async function old(count: number): Promise<string[]> {
      const ids = await writeEvents(
        app,
        Array.from({ length: count }, () => ({})),
      );
      await age(11, ids.at(-1) ?? '');
      await upkeep();
      return ids;
    }

    it('drops what is older than the retention, and tells every reader of the gap', async () => {
      const first = await old(20);
      const before = await read('limit=5');
      const begin = next(before);
      const [young] = await writeEvents(app, [{}]);
      // The cut skipped to the next partition.
      expect(await look.query('SELECT FROM events_p1000000')).toMatchObject({ rowCount: 1 });

      // Told, not yet done: who reads from the middle learns what is missing, whoever reads without a cursor what there is.
      await upkeep();
      const told = await read(`after=${begin}`);
      expect(told.body['items']).toEqual([
        { gap: { from: begin, to: expect.any(String) } },
        expect.objectContaining({ id: young }),
      ]);
      expect(idsOf(await read(''))).toEqual([young]);
      expect(first).not.toContain(young);
      await upkeep();
      expect(await partitions()).toEqual([0, 1, 2, 3, 4].map((index) => `events_p${index * 1_000_000}`));

      const socket = await TestSocket.connect(app.url, { token: await app.adminToken(), after: begin });
      await socket.subscribe(['#']);
      await until(() => socket.events.length === 1);
      expect(socket.told[0]).toMatchObject({ name: 'gap', body: { from: begin } });
      expect(socket.events[0]?.id).toBe(young);

      await graceIsOver();
      await upkeep();
      expect(await partitions()).not.toContain('events_p0');
      expect(idsOf(await read(''))).toEqual([young]);
      expect((await read(`after=${next(told)}`)).body['items']).toEqual([]);
      const [last] = await writeEvents(app, [{}]);
      await until(() => socket.events.at(-1)?.id === last);
      socket.close();
    });

    it('leaves no trace in an empty log: cursors go on where they were', async () => {
      await old(5);
      const end = next(await read('limit=200'));
      await graceIsOver();
      for (let round = 0; round < 3; round += 1) {
        await upkeep();
        await graceIsOver();
      }
      expect(await look.query('SELECT FROM events')).toMatchObject({ rowCount: 0 });
      // A second server begins there, too.
      const other = await startApp({ env: ENV, database: app.database });
      expect((await read(`after=${end}`)).body['items']).toEqual([]);
      const [id] = await writeEvents(other, [{}]);
      await until(async () => idsOf(await read(`after=${end}`)).includes(id));
      await other.close();
    });

    it('makes partitions ahead, and cuts and drops, while others write and nobody waits', async () => {
      await old(10);
      await upkeep();
      await graceIsOver();
      let stop = false;
      let slowest = 0;
      const written: string[] = [];
      const writing = Array.from({ length: 3 }, async () => {
        while (!stop) {
          const begun = performance.now();
          written.push(...(await writeEvents(app, [{}])));
          slowest = Math.max(slowest, performance.now() - begun);
        }
      });
      await until(() => written.length > 20);
      // Reads of what will go, at the same time.
      const reading = (async () => {
        while (!stop) await look.query('SELECT count(*) FROM events');
      })();
      await upkeep();
      await look.query(`SELECT setval('events_pos', 2999990)`);
      await until(() => written.length > 200);
      await upkeep();
      await until(() => written.length > 400);
      stop = true;
      await Promise.all([...writing, reading]);
      const names = await partitions();
      expect(names).not.toContain('events_p0');
      expect(names.filter((name) => Number(name.slice(8)) > 3_000_000).length).toBeGreaterThanOrEqual(3);
      const { rows } = await look.query<{ id: string }>('SELECT id FROM events WHERE id = ANY($1)', [
        written,
      ]);
      expect(rows).toHaveLength(written.length);
      // Bounded by the machine, not by a lock: those are waited for 2 s.
      expect(slowest).toBeLessThan(1_500);
    });

    it('waits for who still reads, without holding up who writes, and finishes later', async () => {
      await old(5);
      await upkeep();
      await graceIsOver();
      const reader = await client();
      await reader.query('BEGIN; SELECT count(*) FROM events');
      const dropping = upkeep();
      await writeEvents(app, [{}]);
      await expect(dropping).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
      await reader.query('COMMIT');
      await writeEvents(app, [{}]);
      await upkeep();
      expect(await partitions()).not.toContain('events_p0');
      await writeEvents(app, [{}]);
    });

    it('is one process’s at a time, and drops what another left behind', async () => {
      await old(5);
      await upkeep();
      await graceIsOver();
      const other = await startApp({ env: ENV, database: app.database });
      await look.query('ALTER TABLE events DETACH PARTITION events_p0');
      await writeEvents(app, [{}]);
      await look.query(`SELECT setval('events_pos', 2000000)`);
      await Promise.all([upkeep(), upkeep(other), upkeep()]);
      expect(await partitions()).toEqual([1, 2, 3, 4, 5].map((index) => `events_p${index * 1_000_000}`));
      await other.close();
    });
  });

  describe('of tasks and workflows', () => {
    const sweep = async (): Promise<void> => {
      // A walk of its own each time: one that has ended rests.
      const tasks = app.app.get(TaskRetention, { strict: false });
      const workflows = app.app.get(WorkflowRetention, { strict: false });
      while (await workflows.look());
      while (await tasks.look());
    };
    const ageTask = (id: unknown, days: number): Promise<unknown> =>
      look.query(
        `UPDATE tasks SET created_at = created_at - make_interval(days => $2), ended_at = ended_at - make_interval(days => $2)
         WHERE id = $1 OR parent_workflow_id = $1`,
        [id, days],
      );
    const ageWorkflow = (id: string, days: number): Promise<unknown> =>
      look.query(
        `UPDATE workflows SET created_at = created_at - make_interval(days => $2), ended_at = ended_at - make_interval(days => $2)
         WHERE id = $1`,
        [id, days],
      );
    const task = async (more: object = {}): Promise<string> =>
      String((await api.call('POST', '/tasks', { type: 'x', project_id: 'p', ...more })).body['id']);
    const end = (id: string): Promise<Answer> => api.call('POST', `/tasks/${id}/cancel`);
    const exists = async (path: string): Promise<boolean> => (await api.call('GET', path)).status === 200;
    /** More than once: a walk of the server's own, begun before, may be under way. */
    const sweepAway = (path: string): Promise<true> =>
      until(async () => {
        await sweep();
        return !(await exists(path));
      });
    const rowsAbout = async (id: string): Promise<number> => {
      const { rows } = await look.query<{ n: number }>(
        `SELECT (SELECT count(*) FROM task_attempts WHERE task_id = $1) + (SELECT count(*) FROM task_dependencies
           WHERE task_id = $1 OR depends_on = $1) + (SELECT count(*) FROM workflow_stages WHERE workflow_id = $1) AS n`,
        [id],
      );
      return Number(rows[0]?.n);
    };

    it('drops tasks that ended long ago, with all there is about them, and no others', async () => {
      const worker = await api.member({ project_id: 'p', configuration: { max_concurrent_tasks: 10 } });
      const [done, young, waiting] = [await task({ type: worker.type }), await task(), await task()];
      await api.call('POST', `/agents/${worker.id}/claim`, { max_tasks: 1 }, worker.token);
      await api.call('PATCH', `/tasks/${done}`, { status: 'completed' }, worker.token);
      await end(young);
      const many = await Promise.all(Array.from({ length: 30 }, async () => task({ project_id: 'q' })));
      await Promise.all(many.map((id) => end(id)));
      expect(await rowsAbout(done)).toBe(1);
      for (const id of [done, waiting, ...many]) await ageTask(id, 11);
      await ageTask(young, 9);
      await sweepAway(`/tasks/${done}`);
      expect(await rowsAbout(done)).toBe(0);
      expect(await Promise.all(many.map((id) => exists(`/tasks/${id}`)))).not.toContain(true);
      expect(await exists(`/tasks/${young}`)).toBe(true);
      expect(await exists(`/tasks/${waiting}`)).toBe(true);
    });

    it('keeps a task as long as an unfinished one depends on it', async () => {
      const [first, second] = [await task({ type: 'first' }), await task()];
      const dependent = await task({ dependencies: [first, second], on_dependency_failure: 'run' });
      await end(first);
      await until(async () => {
        const { rows } = await look.query('SELECT FROM tasks WHERE id = $1 AND settled', [first]);
        return rows.length === 1;
      });
      await ageTask(first, 11);
      await sweep();
      expect(await exists(`/tasks/${first}`)).toBe(true);
      await end(dependent);
      await sweepAway(`/tasks/${first}`);
      expect(await exists(`/tasks/${second}`)).toBe(true);
      expect(await rowsAbout(first)).toBe(0);
    });

    it('drops a workflow with its stages and tasks, and none that lives or has a task that does', async () => {
      const workflows = await WorkflowsApi.of(app);
      const ids: string[] = [];
      for (let index = 0; index < 3; index += 1) ids.push((await workflows.start({ a: [], b: ['a'] })).id);
      const [gone = '', living = '', young = ''] = ids;
      const { id: loose } = await workflows.start({ a: [] });
      const extra = await task({ parent_workflow_id: loose, project_id: undefined });
      for (const id of [gone, young]) await api.call('POST', `/workflows/${id}/cancel`);
      const stage = String((await workflows.stagesOf(loose))['a']?.['task_id']);
      await end(stage);
      await until(async () => (await workflows.statusOf(loose)) === 'failed');
      await until(async () => {
        const { rows } = await look.query('SELECT FROM tasks WHERE NOT settled');
        return rows.length === 0;
      });
      for (const id of [gone, living, loose]) {
        await ageTask(id, 11);
        await ageWorkflow(id, 11);
      }
      await sweepAway(`/workflows/${gone}`);
      expect(await rowsAbout(gone)).toBe(0);
      expect((await look.query('SELECT FROM tasks WHERE parent_workflow_id = $1', [gone])).rowCount).toBe(0);
      for (const id of [living, young, loose]) expect(await exists(`/workflows/${id}`)).toBe(true);
      expect(await exists(`/tasks/${extra}`)).toBe(true);
    });
  });
});
