import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestingModuleBuilder } from '@nestjs/testing';
import { NoJobQueue } from '../../src/platform/job-queue/job-queue.off.js';
import { JobQueue } from '../../src/platform/job-queue/job-queue.port.js';
import { WakeUp } from '../../src/platform/wake-up/wake-up.port.js';
import { TaskReactions } from '../../src/tasks/task-reactions.js';
import { startApp, type TestApp } from '../support/app.js';
import { until } from '../support/wait-for.js';

/** A wake-up that wakes nobody. */
class DeafWakeUp extends WakeUp {
  notify(): void {}
  on(): void {}
}

/** Every hint about what follows from a commit is lost, as when the server dies right after it. */
class DeafReactions extends TaskReactions {
  override follow(): void {}
}

type Body = Record<string, unknown>;

/** A worker over HTTP that takes whatever it can get of a type, without long polls. */
async function worker(
  app: TestApp,
  admin: string,
  type: string,
): Promise<{ take(): Promise<Body[]>; report(id: unknown, body: Body): Promise<void> }> {
  const id = `${type}-worker`;
  const registered = await app.http('POST', '/api/v1/agents/register', { token: admin, body: { id, type } });
  const { credentials } = registered.body as { credentials: { client_id: string; client_secret: string } };
  const token = await app.token(credentials.client_id, credentials.client_secret);
  return {
    take: async () => {
      const answer = await app.http('POST', `/api/v1/agents/${id}/claim`, { token, body: { max_tasks: 10 } });
      return (answer.body as { items: Body[] }).items;
    },
    report: async (taskId, body) => {
      const answer = await app.http('PATCH', `/api/v1/tasks/${String(taskId)}`, { token, body });
      expect(answer.status).toBe(200);
    },
  };
}

describe.each([
  [
    'BullMQ is switched off',
    (builder: TestingModuleBuilder) => builder.overrideProvider(JobQueue).useClass(NoJobQueue),
  ],
  [
    'every hint is lost: jobs, wake-ups and reactions',
    (builder: TestingModuleBuilder) =>
      builder
        .overrideProvider(JobQueue)
        .useClass(NoJobQueue)
        .overrideProvider(WakeUp)
        .useClass(DeafWakeUp)
        .overrideProvider(TaskReactions)
        .useClass(DeafReactions),
  ],
])('from Postgres alone, when %s', (_name, override) => {
  let app: TestApp;
  let admin: string;

  beforeAll(async () => {
    app = await startApp({ override, env: { HEARTBEAT_INTERVAL: '1' } });
    admin = await app.adminToken();
  });
  afterAll(() => app.close());

  const post = async (path: string, body: Body): Promise<Body> =>
    (await app.http('POST', `/api/v1${path}`, { token: admin, body })).body as Body;
  const get = async (path: string): Promise<Body> =>
    (await app.http('GET', `/api/v1${path}`, { token: admin })).body as Body;

  it('a failed attempt is offered again after its backoff', async () => {
    const one = await worker(app, admin, 'again');
    const task = await post('/tasks', {
      type: 'again',
      retry_policy: { initial_delay: 0.2, jitter: 'none' },
    });
    await one.take();
    await one.report(task['id'], { status: 'failed', attempt: 1, error: { code: 'E', message: 'no' } });
    await until(async () => (await one.take()).length === 1);
    await one.report(task['id'], { status: 'completed', attempt: 2 });
  });

  it('a lost lease is found', async () => {
    const one = await worker(app, admin, 'lease');
    const task = await post('/tasks', { type: 'lease' });
    expect(await one.take()).toHaveLength(1);
    await until(async () => (await get(`/tasks/${String(task['id'])}`))['status'] === 'queued', {
      within: 15_000,
    });
  });

  it('a dependent is released', async () => {
    const one = await worker(app, admin, 'first');
    await post('/tasks', { id: 'a', type: 'first' });
    await post('/tasks', { id: 'b', type: 'second', dependencies: ['a'] });
    await one.take();
    await one.report('a', { status: 'completed', attempt: 1 });
    await until(async () => (await get('/tasks/b'))['status'] === 'queued');
  });

  it('a workflow goes from stage to stage to its end', async () => {
    const one = await worker(app, admin, 'stage');
    const stages = ['one', 'two', 'three'].map((name, i, all) => ({
      name,
      agent_type: 'stage',
      dependencies: i === 0 ? [] : [all[i - 1]],
    }));
    const workflow = await post('/workflows', { name: 'chain', stages });
    for (const _stage of stages) {
      await until(async () => {
        const [task] = await one.take();
        if (task === undefined) return false;
        await one.report(task['id'], { status: 'completed', lease_token: task['lease_token'] });
        return true;
      });
    }
    await until(async () => (await get(`/workflows/${String(workflow['id'])}`))['status'] === 'completed');
  });
});
