import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../support/app.js';
import { assertKnownEvents } from '../support/known-events.js';
import { type Agent, type Json, WorkflowsApi } from '../support/workflows-api.js';
import { until } from '../support/wait-for.js';

const SEED = {
  id: 'workflow-123',
  project_id: 'proj-456',
  name: 'Full Stack App Generation',
  stages: [
    { name: 'requirement_analysis', agent_type: 'requirement_analysis', dependencies: [], timeout: 120 },
    {
      name: 'architecture_planning',
      agent_type: 'architecture_planning',
      dependencies: ['requirement_analysis'],
      timeout: 180,
    },
    {
      name: 'code_generation',
      agent_type: 'code_generation',
      dependencies: ['architecture_planning'],
      timeout: 600,
    },
  ],
  configuration: { parallel_execution: false, failure_strategy: 'stop_on_error' },
};

describe('workflows over HTTP', () => {
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

  it('runs the seed’s workflow, as printed, through three agents', async () => {
    const [analyst, architect, coder] = await Promise.all(
      ['requirement_analysis', 'architecture_planning', 'code_generation'].map((type) =>
        api.agent(type, 'proj-456'),
      ),
    );
    if (analyst === undefined || architect === undefined || coder === undefined) throw new Error('no agents');

    const posted = await api.call('POST', '/workflows', SEED);
    expect(posted.status).toBe(201);
    expect(posted.headers['location']).toBe('/api/v1/workflows/workflow-123');
    expect(posted.body).toMatchObject({ ...SEED, status: 'running', correlation_id: 'workflow-123' });
    expect(await api.statuses('workflow-123')).toEqual({
      requirement_analysis: 'running',
      architecture_planning: 'pending',
      code_generation: 'pending',
    });

    const outputs: [Agent, Json][] = [
      [analyst, { requirements: ['crud'] }],
      [architect, { modules: 4 }],
      [coder, { files: 12 }],
    ];
    for (const [index, [worker, output]] of outputs.entries()) {
      const stage = SEED.stages[index];
      const [item] = await worker.claim();
      if (item === undefined || stage === undefined) throw new Error('nothing to claim');
      expect(item).toMatchObject({
        type: stage.agent_type,
        timeout: stage.timeout,
        parent_workflow_id: 'workflow-123',
        correlation_id: 'workflow-123',
        project_id: 'proj-456',
      });
      const [dependency] = stage.dependencies;
      const given = dependency === undefined ? {} : { [dependency]: outputs[index - 1]?.[1] };
      expect(item.input_data).toEqual({ workflow: null, input: null, stages: given });
      expect((await worker.complete(item, output)).status).toBe(200);
    }

    const result = await api.call('GET', '/workflows/workflow-123/result?wait_ms=10000');
    expect(result).toMatchObject({
      status: 200,
      body: {
        workflow_id: 'workflow-123',
        status: 'completed',
        output: {
          requirement_analysis: { requirements: ['crud'] },
          architecture_planning: { modules: 4 },
          code_generation: { files: 12 },
        },
      },
    });
    const done = await api.get('workflow-123');
    expect(done['ended_at']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    for (const stage of done['stages'] as Json[]) {
      expect(stage['started_at']).toMatch(/Z$/);
      expect(String(stage['ended_at']) >= String(stage['started_at'])).toBe(true);
    }

    const events = await api.eventsOf('workflow-123');
    expect(events.map((event) => event['event_type'])).toEqual([
      'workflow.started',
      'workflow.stage_started',
      'workflow.stage_completed',
      'workflow.stage_started',
      'workflow.stage_completed',
      'workflow.stage_started',
      'workflow.stage_completed',
      'workflow.completed',
    ]);
    expect(events.map((event) => event['seq'])).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(events[2]).toMatchObject({
      topic: 'workflow.stage_completed',
      project_id: 'proj-456',
      correlation_id: 'workflow-123',
      payload: {
        workflow_id: 'workflow-123',
        name: 'Full Stack App Generation',
        status: 'running',
        stage: 'requirement_analysis',
        task_id: (done['stages'] as Json[])[0]?.['task_id'],
        output: { requirements: ['crud'] },
      },
    });
  });

  it('runs what can run side by side, and hands each stage its input and what its dependencies gave', async () => {
    const { id, type } = await api.start(
      { end: ['left', 'right'], left: ['begin'], right: ['begin'], begin: [] },
      {},
      { input_data: { goal: 'ship' } },
    );
    const worker = await api.agent(type);
    const [begin] = await api.claimStages(worker, id, 'begin');
    if (begin === undefined) throw new Error('nothing to claim');
    await worker.complete(begin, { at: 'begin' });
    const [left, right] = await api.claimStages(worker, id, 'left', 'right');
    if (left === undefined || right === undefined) throw new Error('nothing to claim');
    expect(left.input_data).toEqual({
      workflow: { goal: 'ship' },
      input: null,
      stages: { begin: { at: 'begin' } },
    });
    await worker.complete(left, { side: 'left' });
    await until(async () => (await api.statuses(id))['left'] === 'completed');
    expect(await worker.look()).toEqual([]);
    await worker.complete(right, { side: 'right' });
    const [end] = await api.claimStages(worker, id, 'end');
    expect(end?.input_data['stages']).toEqual({ left: { side: 'left' }, right: { side: 'right' } });
  });

  it('starts a dependent once when its dependencies end at the same moment', async () => {
    const width = 8;
    const sides = Array.from({ length: width }, (_, index) => `side-${index}`);
    const { id, type } = await api.start({
      ...Object.fromEntries(sides.map((name) => [name, []])),
      end: sides,
    });
    const worker = await api.agent(type);
    const items = await worker.claim(width);
    await Promise.all(items.map((item) => worker.complete(item)));
    const [end] = await api.claimStages(worker, id, 'end');
    if (end === undefined) throw new Error('nothing to claim');
    await worker.complete(end);
    await until(async () => (await api.statusOf(id)) === 'completed');
    const tasks = (await api.call('GET', `/tasks?parent_workflow_id=${id}`)).body['items'] as Json[];
    expect(tasks).toHaveLength(width + 1);
    expect(await worker.look()).toEqual([]);
  });

  it('runs one stage at a time, in topological, then listed, order, when it is not parallel', async () => {
    const { id, type } = await api.start(
      { deploy: ['test', 'docs'], test: ['build'], docs: [], build: [] },
      { parallel_execution: false },
    );
    const worker = await api.agent(type);
    for (const stage of ['docs', 'build', 'test', 'deploy']) {
      const items = await worker.claim();
      expect(items).toHaveLength(1);
      const [item] = items;
      expect((await api.stagesOf(id))[stage]).toMatchObject({ status: 'running', task_id: item?.id });
      if (item !== undefined) await worker.complete(item);
    }
    await until(async () => (await api.statusOf(id)) === 'completed');
  });

  it('hands a stage’s input, timeout, priority, capabilities and retry policy to its task', async () => {
    const stage = {
      name: 'Ü b e r: 1',
      agent_type: api.unique('type'),
      timeout: 17,
      priority: 'high',
      required_capabilities: ['react'],
      retry_policy: { max_attempts: 7, backoff_strategy: 'linear' },
      input: { style: 'layered' },
    };
    const posted = await api.call('POST', '/workflows', {
      name: 'one',
      stages: [stage],
      correlation_id: 'corr-1',
    });
    expect(posted).toMatchObject({ status: 201, body: { stages: [stage], correlation_id: 'corr-1' } });
    const [row] = posted.body['stages'] as Json[];
    const task = (await api.call('GET', `/tasks/${String(row?.['task_id'])}`)).body;
    expect(task).toMatchObject({
      type: stage.agent_type,
      timeout: 17,
      priority: 'high',
      required_capabilities: ['react'],
      retry_policy: stage.retry_policy,
      correlation_id: 'corr-1',
      input_data: { workflow: null, input: { style: 'layered' }, stages: {} },
    });
  });

  describe('when a stage fails', () => {
    it('stop_on_error cancels what runs, skips the rest, and the result is WORKFLOW_FAILED', async () => {
      const { id, type } = await api.start({ a: [], b: [], afterA: ['a'], afterB: ['b'] });
      const worker = await api.agent(type);
      const [a, b] = await api.claimStages(worker, id, 'a', 'b');
      if (a === undefined || b === undefined) throw new Error('nothing to claim');
      await worker.fail(a, 'BROKEN');
      await until(async () => (await api.statusOf(id)) === 'failed');
      expect(await api.statuses(id)).toEqual({
        a: 'failed',
        b: 'cancelled',
        afterA: 'skipped',
        afterB: 'skipped',
      });
      expect((await api.call('GET', `/tasks/${b.id}`)).body).toMatchObject({ status: 'cancelled' });
      expect(await worker.complete(b)).toMatchObject({ status: 409 });
      expect(await worker.revoked(a, b)).toEqual(expect.arrayContaining([b.id]));

      expect(await api.call('GET', `/workflows/${id}/result`)).toMatchObject({
        status: 500,
        body: {
          error: {
            code: 'WORKFLOW_FAILED',
            details: { workflow_id: id, stages: [{ stage: 'a', task_id: a.id, error: { code: 'BROKEN' } }] },
          },
        },
      });
      expect(await api.call('POST', `/workflows/${id}/cancel`)).toMatchObject({
        status: 409,
        body: { error: { code: 'INVALID_TRANSITION', details: { from: 'failed', to: 'cancelled' } } },
      });
      const types = (await api.eventsOf(id)).map((event) => event['event_type']);
      expect(types.slice(-4)).toEqual([
        'workflow.stage_failed',
        'workflow.stage_skipped',
        'workflow.stage_skipped',
        'workflow.failed',
      ]);
    });

    it('continue_on_error skips only what depends on it, and ends failed when the rest is done', async () => {
      const { id, type } = await api.start(
        { a: [], b: [], afterA: ['a'], behind: ['afterA', 'b'], afterB: ['b'] },
        { failure_strategy: 'continue_on_error' },
      );
      const worker = await api.agent(type);
      const [a, b] = await api.claimStages(worker, id, 'a', 'b');
      if (a === undefined || b === undefined) throw new Error('nothing to claim');
      await worker.fail(a, 'BROKEN');
      await until(async () => (await api.statuses(id))['behind'] === 'skipped');
      expect(await api.statuses(id)).toEqual({
        a: 'failed',
        b: 'running',
        afterA: 'skipped',
        behind: 'skipped',
        afterB: 'pending',
      });
      await worker.complete(b);
      const [afterB] = await api.claimStages(worker, id, 'afterB');
      if (afterB === undefined) throw new Error('nothing to claim');
      await worker.complete(afterB);
      await until(async () => (await api.statusOf(id)) === 'failed');
      expect((await api.statuses(id))['afterB']).toBe('completed');
    });

    it('a stage whose task a client cancelled counts as failed', async () => {
      const { id } = await api.start({ a: [] });
      const taskId = String((await api.stagesOf(id))['a']?.['task_id']);
      expect((await api.call('POST', `/tasks/${taskId}/cancel`)).status).toBe(200);
      await until(async () => (await api.statusOf(id)) === 'failed');
      expect((await api.stagesOf(id))['a']).toMatchObject({
        status: 'failed',
        error: { code: 'TASK_CANCELLED' },
      });
    });
  });

  describe('a cancel', () => {
    it('reaches running tasks, and those that are no stage’s; repeating it answers the same', async () => {
      const { id, type } = await api.start({ done: [], runs: ['done'], waits: ['runs'] });
      const worker = await api.agent(type);
      const [done] = await api.claimStages(worker, id, 'done');
      if (done === undefined) throw new Error('nothing to claim');
      await worker.complete(done, { kept: true });
      const [runs] = await api.claimStages(worker, id, 'runs');
      if (runs === undefined) throw new Error('nothing to claim');
      const loose = await api.call('POST', '/tasks', { type: 'loose', parent_workflow_id: id });
      expect(loose).toMatchObject({ status: 201, body: { correlation_id: id } });

      const cancelled = await api.call('POST', `/workflows/${id}/cancel`);
      expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled' } });
      expect(await api.statuses(id)).toEqual({ done: 'completed', runs: 'cancelled', waits: 'skipped' });
      for (const taskId of [runs.id, String(loose.body['id'])]) {
        expect((await api.call('GET', `/tasks/${taskId}`)).body['status']).toBe('cancelled');
      }
      expect(await worker.revoked(runs)).toEqual([runs.id]);
      expect((await worker.complete(runs)).status).toBe(409);
      expect(await api.call('POST', `/workflows/${id}/cancel`)).toMatchObject({
        status: 200,
        body: cancelled.body,
      });
      expect(await api.call('GET', `/workflows/${id}/result`)).toMatchObject({
        status: 409,
        body: { error: { code: 'CONFLICT' } },
      });
      expect(await api.call('POST', '/tasks', { type: 'late', parent_workflow_id: id })).toMatchObject({
        status: 409,
      });
      expect((await api.eventsOf(id)).at(-1)).toMatchObject({
        event_type: 'workflow.cancelled',
        payload: { status: 'cancelled', details: { cancelled_stages: ['runs'] } },
      });
    });

    it('of what is unknown is 404', async () => {
      expect((await api.call('POST', '/workflows/nowhere/cancel')).status).toBe(404);
      expect((await api.call('POST', '/workflows/nowhere/cancel?project_id=default')).status).toBe(404);
    });
  });

  describe('the result', () => {
    it('is 202 while the workflow runs, also when the wait is over', async () => {
      const { id } = await api.start({ a: [] });
      for (const wait of ['', '?wait_ms=50']) {
        expect(await api.call('GET', `/workflows/${id}/result${wait}`)).toMatchObject({
          status: 202,
          body: { workflow_id: id, status: 'running' },
        });
      }
    });

    it('comes to who waits for it', async () => {
      const { id, type } = await api.start({ a: [] });
      const worker = await api.agent(type);
      const [a] = await worker.claim();
      if (a === undefined) throw new Error('nothing to claim');
      const waiting = api.call('GET', `/workflows/${id}/result?wait_ms=20000`);
      await worker.complete(a, { done: true });
      expect(await waiting).toMatchObject({ status: 200, body: { output: { a: { done: true } } } });
    });
  });

  describe('a post is refused', () => {
    const stage = (name: string, ...dependencies: string[]): Json => ({
      name,
      agent_type: 'x',
      dependencies,
    });

    it.each([
      ['no stages', [], '/stages'],
      ['a name twice', [stage('a'), stage('a')], '/stages/1/name'],
      ['an unknown dependency', [stage('a', 'b')], '/stages/0/dependencies/0'],
      ['a stage that depends on itself', [stage('a', 'a')], '/stages'],
      ['501 stages', Array.from({ length: 501 }, (_, index) => stage(`s${index}`)), '/stages'],
      ['a stage without an agent type', [{ name: 'a' }], '/stages/0/agent_type'],
      ['an unknown field in a stage', [{ ...stage('a'), colour: 'red' }], '/stages/0/colour'],
    ])('with %s', async (_, stages, path) => {
      const answer = await api.call('POST', '/workflows', { name: 'bad', stages });
      expect(answer).toMatchObject({ status: 400, body: { error: { code: 'VALIDATION_FAILED' } } });
      expect(answer.body).toMatchObject({ error: { details: { errors: [{ path }] } } });
    });

    it('with a cycle, whose path is named', async () => {
      const stages = [stage('start'), stage('a', 'c', 'start'), stage('b', 'a'), stage('c', 'b')];
      const answer = await api.call('POST', '/workflows', { name: 'bad', stages });
      expect(answer).toMatchObject({
        status: 400,
        body: { error: { details: { cycle: ['a', 'c', 'b', 'a'] } } },
      });
    });

    it('with a failure strategy that does not exist', async () => {
      const configuration = { failure_strategy: 'hope' };
      const answer = await api.call('POST', '/workflows', {
        name: 'bad',
        stages: [stage('a')],
        configuration,
      });
      expect(answer.status).toBe(400);
    });
  });

  describe('an id that the client chose', () => {
    it('is an idempotency key', async () => {
      const id = api.unique('workflow');
      const body = { id, name: 'once', stages: [{ name: 'a', agent_type: api.unique('type') }] };
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => api.call('POST', '/workflows', body)),
      );
      expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
      expect(answers.filter((answer) => answer.status === 200)).toHaveLength(9);
      for (const answer of answers) expect(answer.body).toEqual(answers[0]?.body);
      const tasks = (await api.call('GET', `/tasks?parent_workflow_id=${id}`)).body['items'] as Json[];
      expect(tasks).toHaveLength(1);

      expect(await api.call('POST', '/workflows', { ...body, name: 'other' })).toMatchObject({
        status: 409,
        body: { error: { code: 'CONFLICT' } },
      });
    });

    it('belongs to its project', async () => {
      const id = api.unique('workflow');
      const body = { id, name: 'mine', stages: [{ name: 'a', agent_type: api.unique('type') }] };
      for (const projectId of ['p-one', 'p-two']) {
        const posted = await api.call('POST', '/workflows', { ...body, project_id: projectId });
        expect(posted).toMatchObject({ status: 201, body: { project_id: projectId } });
      }
      expect(await api.call('GET', `/workflows/${id}`)).toMatchObject({
        status: 409,
        body: { error: { code: 'CONFLICT', details: { projects: ['p-one', 'p-two'] } } },
      });
      expect((await api.call('GET', `/workflows/${id}?project_id=p-two`)).body['project_id']).toBe('p-two');
      expect((await api.call('GET', `/workflows/${id}?project_id=p-three`)).status).toBe(404);
    });
  });

  it('lists workflows, newest first, by state, correlation and page', async () => {
    const correlation = api.unique('corr');
    const ids: string[] = [];
    for (let index = 0; index < 3; index += 1) {
      ids.unshift((await api.start({ a: [] }, {}, { correlation_id: correlation })).id);
    }
    await api.call('POST', `/workflows/${ids[1]}/cancel`);
    const list = async (query: string): Promise<{ ids: unknown[]; next: unknown }> => {
      const page = (await api.call('GET', `/workflows?correlation_id=${correlation}&${query}`)).body;
      return { ids: (page['items'] as Json[]).map((item) => item['id']), next: page['next_cursor'] };
    };
    expect(await list('')).toEqual({ ids, next: null });
    expect(await list('status=cancelled')).toEqual({ ids: [ids[1]], next: null });
    const first = await list('limit=2');
    expect(first.ids).toEqual(ids.slice(0, 2));
    expect(await list(`limit=2&cursor=${String(first.next)}`)).toEqual({ ids: ids.slice(2), next: null });
    expect((await api.call('GET', '/workflows?status=odd')).status).toBe(400);
  });
});
