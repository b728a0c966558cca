import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Database } from '../../src/platform/database/database.js';
import { startApp, type TestApp } from '../support/app.js';
import { assertKnownEvents } from '../support/known-events.js';
import { TestSocket } from '../support/sockets.js';
import { until } from '../support/wait-for.js';
import { type Agent, type Answer, type Item, type Json, WorkflowsApi } from '../support/workflows-api.js';

const UNDO = { failure_strategy: 'compensate' };

describe('workflows in full', () => {
  let app: TestApp;
  let api: WorkflowsApi;

  beforeAll(async () => {
    app = await startApp();
    api = await WorkflowsApi.of(app);
  });
  afterAll(async () => {
    await assertKnownEvents(app);
    await app.close();
  });

  const ask = (id: string, what: string): Promise<Answer> => api.call('POST', `/workflows/${id}/${what}`);
  const typesOf = async (id: string): Promise<unknown[]> =>
    (await api.eventsOf(id)).map((event) => event['event_type']);

  async function one(worker: Agent, id: string, stage: string): Promise<Item> {
    const [item] = await api.claimStages(worker, id, stage);
    if (item === undefined) throw new Error('nothing to claim');
    return item;
  }

  async function query<R>(text: string, values: unknown[]): Promise<R[]> {
    return app.app.get(Database, { strict: false }).query<R>({ name: api.unique('test'), text }, values);
  }

  describe('a paused workflow', () => {
    it('hands out none of its tasks, lets what runs finish, and goes on when it is resumed', async () => {
      const { id, type } = await api.start({ a: [], b: [], after: ['a'] });
      const worker = await api.agent(type);
      const [a] = await api.claimStages(worker, id, 'a', 'b');
      if (a === undefined) throw new Error('nothing to claim');
      const late = await beside(type, id);

      expect(await ask(id, 'pause')).toMatchObject({ status: 200, body: { id, status: 'paused' } });
      expect(await ask(id, 'pause')).toMatchObject({ status: 200, body: { status: 'paused' } });
      const later = await beside(type, id);
      await worker.complete(a, { done: true });
      await until(async () => (await api.statuses(id))['a'] === 'completed');
      expect(await worker.look(300)).toEqual([]);
      expect((await api.statuses(id))['after']).toBe('pending');
      expect(await api.call('GET', `/workflows/${id}/result`)).toMatchObject({
        status: 202,
        body: { status: 'paused' },
      });

      expect(await ask(id, 'resume')).toMatchObject({ status: 200, body: { status: 'running' } });
      expect(await ask(id, 'resume')).toMatchObject({ status: 200, body: { status: 'running' } });
      const items = await worker.claim(3);
      const { after } = await api.stagesOf(id);
      expect(items.map((item) => item.id).toSorted(byText)).toEqual(
        [late, later, after?.['task_id']].toSorted(byText),
      );
      expect((await typesOf(id)).filter((name) => /paused|resumed/.test(String(name)))).toEqual([
        'workflow.paused',
        'workflow.resumed',
      ]);
    });

    it('keeps a task back that fails, is handed back, or whose moment comes meanwhile', async () => {
      const { id, type } = await api.start({ a: [], b: [] }, {}, {}, { retry_policy: { initial_delay: 0 } });
      const worker = await api.agent(type);
      const [a, b] = await api.claimStages(worker, id, 'a', 'b');
      if (a === undefined || b === undefined) throw new Error('nothing to claim');
      const soon = new Date(Date.now() + 1_500).toISOString();
      await api.call('POST', '/tasks', { type, parent_workflow_id: id, not_before: soon });
      await ask(id, 'pause');
      expect(await worker.fail(a, 'BROKEN', true)).toMatchObject({ body: { status: 'queued' } });
      const path = `/tasks/${b.id}`;
      const back = await api.call('PATCH', path, { status: 'queued', attempt: b.attempt }, worker.token);
      expect(back).toMatchObject({ body: { status: 'queued' } });
      // The promotion sweep comes by once the moment of the third has come.
      await until(async () => {
        const due = await query('SELECT FROM tasks WHERE parent_workflow_id = $1 AND available_at IS NULL', [
          id,
        ]);
        return due.length === 3;
      });
      expect(await worker.look(200)).toEqual([]);
      await ask(id, 'resume');
      expect(await worker.claim(3)).toHaveLength(3);
    });

    it('has let go of a task that ended meanwhile: redriven after the pause it is claimed', async () => {
      const { id, type } = await api.start({ a: [] });
      const worker = await api.agent(type);
      await api.claimStages(worker, id, 'a');
      const [failing, cancelled] = [await beside(type, id), await beside(type, id)];
      const [held] = await worker.claim(1);
      if (held?.id !== failing) throw new Error('something else was claimed');
      await ask(id, 'pause');
      await worker.fail(held, 'BROKEN');
      await api.call('POST', `/tasks/${cancelled}/cancel`);
      await ask(id, 'resume');
      for (const task of [failing, cancelled]) {
        expect(await api.call('POST', `/tasks/${task}/retry`)).toMatchObject({ status: 200 });
      }
      expect((await worker.claim(2)).map((item) => item.id)).toEqual([failing, cancelled]);
    });

    it('keeps back what is redriven, alone or with many', async () => {
      const { id, type } = await api.start({ a: [] });
      const worker = await api.agent(type);
      await api.claimStages(worker, id, 'a');
      const tasks = [await beside(type, id), await beside(type, id)];
      for (const task of tasks) await api.call('POST', `/tasks/${task}/cancel`);
      await ask(id, 'pause');
      expect(await api.call('POST', `/tasks/${tasks[0]}/retry`)).toMatchObject({ status: 200 });
      const { body } = await api.call('POST', '/tasks/retry', { status: 'cancelled', type });
      const operation = `/operations/${String(body['id'])}`;
      await until(async () => (await api.call('GET', operation)).body['status'] === 'completed');
      for (const task of tasks) {
        expect(await api.call('GET', `/tasks/${task}/explain`)).toMatchObject({
          body: { rule: 'workflow_paused' },
        });
      }
      expect(await worker.look(300)).toEqual([]);
      await ask(id, 'resume');
      expect((await worker.claim(2)).map((item) => item.id).toSorted(byText)).toEqual(tasks.toSorted(byText));
    });

    it('refuses a task even to the agent that it is meant for', async () => {
      const { id } = await api.start({ a: [] });
      const worker = await api.agent(api.unique('type'));
      const body = { type: 'x', assigned_agent: worker.id, parent_workflow_id: id };
      const task = await api.call('POST', '/tasks', body);
      await ask(id, 'pause');
      const take = (): Promise<Answer> =>
        api.call('PATCH', `/tasks/${String(task.body['id'])}`, { status: 'in_progress' }, worker.token);
      expect(await take()).toMatchObject({ status: 409, body: { error: { code: 'CONFLICT' } } });
      await ask(id, 'resume');
      expect(await take()).toMatchObject({ status: 200, body: { status: 'in_progress' } });
    });

    it('draws the consequences of a failure when it is resumed', async () => {
      const { id, type } = await api.start({ a: [], b: [], after: ['a'] });
      const worker = await api.agent(type);
      const [a, b] = await api.claimStages(worker, id, 'a', 'b');
      if (a === undefined || b === undefined) throw new Error('nothing to claim');
      await ask(id, 'pause');
      await worker.fail(a, 'BROKEN');
      await until(async () => (await api.statuses(id))['a'] === 'failed');
      expect(await api.statuses(id)).toEqual({ a: 'failed', b: 'running', after: 'pending' });
      expect(await ask(id, 'resume')).toMatchObject({ body: { status: 'failed' } });
      expect(await api.statuses(id)).toEqual({ a: 'failed', b: 'cancelled', after: 'skipped' });
      expect((await api.call('GET', `/tasks/${b.id}`)).body['status']).toBe('cancelled');
    });

    async function beside(type: string, id: string): Promise<string> {
      return String((await api.call('POST', '/tasks', { type, parent_workflow_id: id })).body['id']);
    }
  });

  describe('a cancel', () => {
    it('reaches the holder by its socket and by its heartbeat', async () => {
      const { id, type } = await api.start({ a: [], after: ['a'] });
      const worker = await api.agent(type);
      const socket = await TestSocket.connect(app.url, { token: worker.token });
      await socket.do('ready', { capacity: 5 });
      await until(() => socket.events.some(({ event_type: name }) => name === 'task.assigned'));
      const taskId = String((await api.stagesOf(id))['a']?.['task_id']);

      expect(await ask(id, 'cancel')).toMatchObject({ status: 200, body: { status: 'cancelled' } });
      const told = await until(() => socket.events.find(({ event_type: name }) => name === 'task.cancelled'));
      expect(told.payload).toMatchObject({ task_id: taskId, status: 'cancelled', assigned_agent: worker.id });
      socket.close();
      const item = { id: taskId } as Item;
      expect(await worker.revoked(item)).toEqual(expect.arrayContaining([taskId]));
      expect(await api.statuses(id)).toEqual({ a: 'cancelled', after: 'skipped' });
    });
  });

  describe('a retry', () => {
    it('runs what did not complete once more, and hands it what completed before', async () => {
      const { id, type } = await api.start({ a: [], b: ['a'], c: ['b'] });
      const worker = await api.agent(type);
      await worker.complete(await one(worker, id, 'a'), { from: 'a' });
      const first = await one(worker, id, 'b');
      await worker.fail(first, 'BROKEN');
      await until(async () => (await api.statusOf(id)) === 'failed');

      const retried = await ask(id, 'retry');
      expect(retried).toMatchObject({
        status: 200,
        body: { status: 'running', error: null, ended_at: null },
      });
      expect(await api.statuses(id)).toEqual({ a: 'completed', b: 'running', c: 'pending' });
      expect(await ask(id, 'retry')).toMatchObject({
        status: 409,
        body: { error: { code: 'INVALID_TRANSITION', details: { from: 'running', to: 'running' } } },
      });
      const second = await one(worker, id, 'b');
      expect(second.id).not.toBe(first.id);
      expect(second.input_data['stages']).toEqual({ a: { from: 'a' } });
      expect(await worker.complete(first)).toMatchObject({ status: 409 });
      await worker.complete(second, { from: 'b' });
      await worker.complete(await one(worker, id, 'c'), { from: 'c' });
      expect(await api.call('GET', `/workflows/${id}/result?wait_ms=10000`)).toMatchObject({
        status: 200,
        body: { output: { a: { from: 'a' }, b: { from: 'b' }, c: { from: 'c' } } },
      });
      const events = await api.eventsOf(id);
      const told = events.find((event) => event['event_type'] === 'workflow.retried');
      expect(told?.['payload']).toMatchObject({ status: 'running', details: { stages: ['b', 'c'] } });
      expect(events.map((event) => event['seq'])).toEqual(events.map((_, index) => index + 1));
    });

    it('runs a cancelled workflow again', async () => {
      const { id, type } = await api.start({ a: [] });
      await ask(id, 'cancel');
      await ask(id, 'retry');
      const worker = await api.agent(type);
      await worker.complete(await one(worker, id, 'a'));
      await until(async () => (await api.statusOf(id)) === 'completed');
      expect(await ask(id, 'retry')).toMatchObject({ status: 409 });
    });
  });

  describe('a workflow that compensates', () => {
    /** a → b → c → d; a and c can be undone, by agents of a type of their own. */
    async function failing(more: Json = {}): Promise<{ id: string; worker: Agent; undoer: Agent }> {
      const undo = api.unique('undo');
      const stage = (name: string): Json => ({
        input: { stage: name },
        retry_policy: { max_attempts: 2, initial_delay: 0 },
        ...(name === 'a' || name === 'c' ? { compensation: undo } : {}),
      });
      const graph = { a: [], b: ['a'], c: ['b'], d: ['c'] };
      const { id, type } = await api.start(graph, UNDO, { input_data: { goal: 'ship' }, ...more }, stage);
      const worker = await api.agent(type);
      for (const name of ['a', 'b', 'c']) await worker.complete(await one(worker, id, name), { from: name });
      await worker.fail(await one(worker, id, 'd'), 'BROKEN');
      return { id, worker, undoer: await api.agent(undo) };
    }

    it('undoes what completed, in reverse order, and ends failed', async () => {
      const { id, undoer } = await failing();
      const [undoC] = await undoer.claim();
      if (undoC === undefined) throw new Error('nothing to claim');
      expect(undoC.input_data).toEqual({
        workflow: { goal: 'ship' },
        stage: 'c',
        input: { stage: 'c' },
        output: { from: 'c' },
      });
      expect(await api.get(id)).toMatchObject({
        status: 'compensating',
        ended_at: null,
        error: { code: 'WORKFLOW_FAILED', details: { stages: [{ stage: 'd', error: { code: 'BROKEN' } }] } },
      });
      expect(await ask(id, 'pause')).toMatchObject({ status: 409 });
      expect(await ask(id, 'retry')).toMatchObject({ status: 409 });
      // One at a time.
      expect(await undoer.look()).toEqual([]);
      await undoer.complete(undoC);
      const [undoA] = await undoer.claim();
      if (undoA === undefined) throw new Error('nothing to claim');
      expect(undoA.input_data).toMatchObject({ stage: 'a', output: { from: 'a' } });
      await undoer.complete(undoA);
      await until(async () => (await api.statusOf(id)) === 'failed');

      const stages = await api.stagesOf(id);
      expect(await api.statuses(id)).toEqual({
        a: 'compensated',
        b: 'completed',
        c: 'compensated',
        d: 'failed',
      });
      expect(stages['c']).toMatchObject({
        compensation_task_id: undoC.id,
        output: { from: 'c' },
        error: null,
      });
      expect(await api.call('GET', `/workflows/${id}/result`)).toMatchObject({
        status: 500,
        body: { error: { code: 'WORKFLOW_FAILED', details: { workflow_id: id, stages: [{ stage: 'd' }] } } },
      });
      const events = (await api.eventsOf(id)).slice(-4);
      expect(events.map(({ event_type: name, payload }) => [name, (payload as Json)['stage']])).toEqual([
        ['workflow.compensating', undefined],
        ['workflow.stage_compensated', 'c'],
        ['workflow.stage_compensated', 'a'],
        ['workflow.failed', undefined],
      ]);
    });

    it('tries an undoing again by its retry policy; then goes on with the rest, and tells', async () => {
      const { id, undoer } = await failing();
      for (let attempt = 1; attempt <= 2; attempt += 1) {
        const [undoC] = await undoer.claim();
        if (undoC === undefined) throw new Error('nothing to claim');
        expect(undoC.input_data['stage']).toBe('c');
        await undoer.fail(undoC, 'STUCK', true);
      }
      const [undoA] = await undoer.claim();
      if (undoA === undefined) throw new Error('nothing to claim');
      expect(undoA.input_data['stage']).toBe('a');
      await undoer.complete(undoA);
      await until(async () => (await api.statusOf(id)) === 'failed');
      expect((await api.stagesOf(id))['c']).toMatchObject({
        status: 'completed',
        error: { code: 'COMPENSATION_FAILED', details: { error: { code: 'STUCK' } } },
      });
      expect((await api.get(id))['error']).toMatchObject({
        message: "Stage 'd' failed. Stage 'c' could not be undone.",
        details: { stages: [{ stage: 'd' }], not_compensated: [{ stage: 'c' }] },
      });
    });

    it('runs again, when it is retried, what was undone, in the order of its dependencies', async () => {
      const { id, worker, undoer } = await failing();
      for (let stage = 0; stage < 2; stage += 1) {
        for (const item of await undoer.claim()) await undoer.complete(item);
      }
      await until(async () => (await api.statusOf(id)) === 'failed');
      await ask(id, 'retry');
      expect(await api.statuses(id)).toEqual({ a: 'running', b: 'completed', c: 'pending', d: 'pending' });
      for (const name of ['a', 'c', 'd']) await worker.complete(await one(worker, id, name));
      await until(async () => (await api.statusOf(id)) === 'completed');
    });

    it('can be cancelled half-way', async () => {
      const { id, undoer } = await failing();
      const [undoC] = await undoer.claim();
      if (undoC === undefined) throw new Error('nothing to claim');
      expect(await ask(id, 'cancel')).toMatchObject({ status: 200, body: { status: 'cancelled' } });
      expect((await api.call('GET', `/tasks/${undoC.id}`)).body['status']).toBe('cancelled');
      expect(await undoer.look(200)).toEqual([]);
      expect(await ask(id, 'retry')).toMatchObject({ status: 200, body: { status: 'running' } });
    });

    it('is undone when its time is over, and the error says so', async () => {
      const undo = api.unique('undo');
      const { id, type } = await api.start({ a: [], b: ['a'] }, UNDO, { timeout: 2 }, { compensation: undo });
      const worker = await api.agent(type);
      await worker.complete(await one(worker, id, 'a'));
      const [undoA] = await (await api.agent(undo)).claim();
      expect(undoA?.input_data['stage']).toBe('a');
      expect(await api.get(id)).toMatchObject({
        status: 'compensating',
        error: { code: 'WORKFLOW_TIMEOUT' },
      });
    });
  });

  describe('a timeout of the whole workflow', () => {
    it('cancels what runs, skips the rest and fails, at the deadline that was shown', async () => {
      const { id, type } = await api.start({ a: [], b: ['a'] }, {}, { timeout: 1 });
      const begun = await api.get(id);
      expect(Date.parse(String(begun['deadline_at'])) - Date.parse(String(begun['created_at']))).toBe(1_000);
      const worker = await api.agent(type);
      const a = await one(worker, id, 'a');
      await until(async () => (await api.statusOf(id)) === 'failed');
      const ended = await api.get(id);
      const late = Date.parse(String(ended['ended_at'])) - Date.parse(String(begun['deadline_at']));
      expect(late).toBeGreaterThanOrEqual(0);
      expect(await api.statuses(id)).toEqual({ a: 'cancelled', b: 'skipped' });
      expect(ended['error']).toMatchObject({ code: 'WORKFLOW_TIMEOUT' });
      expect(await worker.complete(a)).toMatchObject({ status: 409 });
      expect(await api.call('GET', `/workflows/${id}/result`)).toMatchObject({
        status: 500,
        body: { error: { code: 'WORKFLOW_FAILED', message: expect.stringContaining('within 1 s') } },
      });
    });

    it('goes on while it is paused, and starts anew with a retry', async () => {
      const { id } = await api.start({ a: [] }, {}, { timeout: 1 });
      await ask(id, 'pause');
      const loose = await api.call('POST', '/tasks', { type: api.unique('type'), parent_workflow_id: id });
      await until(async () => (await api.statusOf(id)) === 'failed');
      // A task that is no stage's goes on, and is not paused for ever.
      const [row] = await query<Json>('SELECT status, claimable, paused FROM tasks WHERE id = $1', [
        loose.body['id'],
      ]);
      expect(row).toEqual({ status: 'queued', claimable: true, paused: false });
      const retried = (await ask(id, 'retry')).body;
      expect(String(retried['deadline_at']) > String(retried['updated_at'])).toBe(true);
      await until(async () => (await api.statusOf(id)) === 'failed');
    });

    it.each([0, 2_592_001, 1.5])('is refused when it is %p', async (timeout) => {
      const answer = await api.call('POST', '/workflows', {
        name: 'bad',
        timeout,
        stages: [{ name: 'a', agent_type: 'x' }],
      });
      expect(answer).toMatchObject({
        status: 400,
        body: { error: { details: { errors: [{ path: '/timeout' }] } } },
      });
    });
  });

  describe('a failure of many stages', () => {
    it('is told in brief, and each stage tells all of its own', async () => {
      const names = Array.from({ length: 60 }, (_, index) => `s${index}`);
      const graph = Object.fromEntries(names.map((name) => [name, []]));
      const { id, type } = await api.start(graph, { failure_strategy: 'continue_on_error' });
      const worker = await api.agent(type);
      const error = {
        code: 'BROKEN',
        message: 'y'.repeat(5_000),
        retryable: false,
        details: { log: 'x'.repeat(60_000) },
      };
      await Promise.all(
        (await worker.claim(names.length)).map(({ id: task, attempt }) =>
          api.call('PATCH', `/tasks/${task}`, { status: 'failed', attempt, error }, worker.token),
        ),
      );
      await until(async () => (await api.statusOf(id)) === 'failed', { within: 30_000 });
      const told = (await api.get(id))['error'];
      expect(told).toMatchObject({ message: '60 stages failed.', details: { stage_count: 60 } });
      expect(JSON.stringify(told).length).toBeLessThan(60_000);
      expect((await api.eventsOf(id)).at(-1)?.['payload']).toMatchObject({ error: told });
      expect((await api.stagesOf(id))['s59']).toMatchObject({ error });
    });
  });

  describe('what a stage is given', () => {
    it('fails the stage with INPUT_TOO_LARGE when its dependencies gave more than 1 MiB', async () => {
      const half = 'x'.repeat(600_000);
      const { id, type } = await api.start(
        { a: [], b: [], fits: ['a'], bursts: ['a', 'b'] },
        { failure_strategy: 'continue_on_error' },
      );
      const worker = await api.agent(type);
      const [a, b] = await api.claimStages(worker, id, 'a', 'b');
      if (a === undefined || b === undefined) throw new Error('nothing to claim');
      await worker.complete(a, { half });
      await worker.complete(b, { half });
      const fits = await one(worker, id, 'fits');
      expect(fits.input_data).toEqual({ workflow: null, input: null, stages: { a: { half } } });
      await worker.complete(fits);
      await until(async () => (await api.statusOf(id)) === 'failed');
      expect((await api.stagesOf(id))['bursts']).toMatchObject({
        status: 'failed',
        task_id: null,
        error: { code: 'INPUT_TOO_LARGE', details: { limit: 1_048_576 } },
      });
    });

    it('is known before anything is done: a stage that is given too much stops those that would begin beside it', async () => {
      const type = api.unique('type');
      // JSON that grows when it is written out: the request is a fifth of what the stage is given.
      const numbers = Array.from({ length: 60_000 }, () => '1e20').join(',');
      const body = `{"name":"large","stages":[{"name":"small","agent_type":"${type}"},
        {"name":"large","agent_type":"${type}","input":{"numbers":[${numbers}]}}]}`;
      const headers = {
        authorization: `Bearer ${await app.adminToken()}`,
        'content-type': 'application/json',
      };
      const answer = await fetch(`${app.url}/api/v1/workflows`, { method: 'POST', headers, body });
      expect(answer.status).toBe(201);
      const { id } = (await answer.json()) as { id: string };
      expect(await api.statusOf(id)).toBe('failed');
      expect(await api.stagesOf(id)).toMatchObject({
        small: { status: 'skipped', task_id: null },
        large: { status: 'failed', task_id: null, error: { code: 'INPUT_TOO_LARGE' } },
      });
      expect(await typesOf(id)).toEqual([
        'workflow.started',
        'workflow.stage_failed',
        'workflow.stage_skipped',
        'workflow.failed',
      ]);
      expect((await api.call('GET', `/tasks?parent_workflow_id=${id}`)).body['items']).toEqual([]);
    });

    it('is made a few MiB at a time for what is undone, too', async () => {
      const [first, second] = [api.unique('first'), api.unique('second')];
      const stages = [
        { name: 'a', agent_type: first, compensation: api.unique('undo') },
        ...Array.from({ length: 10 }, (_, index) => ({
          name: `b${index}`,
          agent_type: second,
          dependencies: ['a'],
          ...(index === 0 ? { input: { filler: 'x'.repeat(200_000) } } : {}),
        })),
      ];
      const { body } = await api.call('POST', '/workflows', { name: 'test', stages, configuration: UNDO });
      const id = String(body['id']);
      const worker = await api.agent(first);
      await worker.complete(await one(worker, id, 'a'), { text: 'y'.repeat(930_000) });
      await until(async () => (await api.statusOf(id)) === 'compensating');
      expect(await ask(id, 'cancel')).toMatchObject({ status: 200, body: { status: 'cancelled' } });
    });

    it('is made a few MiB at a time, whatever begins at once', async () => {
      const names = Array.from({ length: 30 }, (_, index) => `s${index}`);
      const graph = Object.fromEntries(names.map((name) => [name, []]));
      const { id, type } = await api.start(graph, {}, { input_data: { text: 'x'.repeat(800_000) } });
      const first = Object.values(await api.statuses(id)).filter((status) => status === 'running');
      expect(first.length).toBeLessThan(30);
      await until(async () => Object.values(await api.statuses(id)).every((status) => status === 'running'));
      const tasks = (await api.call('GET', `/tasks?parent_workflow_id=${id}&type=${type}&limit=1`)).body;
      expect((tasks['items'] as Json[])[0]?.['input_data']).toMatchObject({
        workflow: { text: expect.stringMatching(/^x+$/) },
      });
      await ask(id, 'cancel');
    });
  });
});

const byText = (a: unknown, b: unknown): number => String(a).localeCompare(String(b));
