import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomFrom } from '../chaos/random.mjs';
import { startApp, type TestApp } from '../support/app.js';
import { type Agent, type Json, WorkflowsApi } from '../support/workflows-api.js';
import { until } from '../support/wait-for.js';

describe('random workflows, on two servers, through agents that fail at random', () => {
  let app: TestApp;
  let other: TestApp;
  let api: WorkflowsApi;

  beforeAll(async () => {
    app = await startApp();
    other = await startApp({ database: app.database });
    api = await WorkflowsApi.of(app);
  });
  afterAll(async () => {
    await other.close();
    await app.close();
  });

  it('end in order, each stage run once at most', async () => {
    const seed = Date.now() % 1_000_000;
    const random = randomFrom(seed);
    const ids: string[] = [];
    const type = api.unique('type');
    for (let index = 0; index < 20; index += 1) {
      const count = 1 + Math.floor(random() * 10);
      const stages = Array.from({ length: count }, (_, place) => ({
        name: `s${place}`,
        agent_type: type,
        dependencies: Array.from({ length: place }, (_none, one) => `s${one}`).filter(() => random() < 0.35),
      })).toSorted(() => random() - 0.5);
      const configuration = {
        parallel_execution: random() < 0.7,
        failure_strategy: random() < 0.5 ? 'stop_on_error' : 'continue_on_error',
      };
      const server = random() < 0.5 ? app : other;
      const body = { name: `random ${seed}`, stages, configuration };
      ids.push(String((await api.call('POST', '/workflows', body, undefined, server)).body['id']));
    }

    const over = { all: false };
    const work = async (worker: Agent): Promise<void> => {
      while (!over.all) {
        for (const item of await worker.look(200)) {
          await (random() < 0.12 ? worker.fail(item, 'UNLUCKY') : worker.complete(item, { by: worker.id }));
        }
      }
    };
    const working = [
      await api.agent(type),
      await api.agent(type, 'default', other),
      await api.agent(type),
    ].map(work);
    try {
      const isAnyRunning = async (): Promise<boolean> => {
        const { items } = (await api.call('GET', '/workflows?status=running&limit=200')).body as {
          items: Json[];
        };
        return items.some((item) => ids.includes(String(item['id'])));
      };
      await until(async () => !(await isAnyRunning()), { within: 40_000 });
    } finally {
      over.all = true;
      await Promise.all(working);
    }
    expect(new Set(ids).size).toBe(20);
    for (const id of ids) await judge(id);
  });

  async function judge(id: string): Promise<void> {
    const workflow = await api.get(id);
    const stages = await api.stagesOf(id);
    const tasks = (await api.call('GET', `/tasks?parent_workflow_id=${id}`)).body['items'] as Json[];
    const begun = Object.values(stages).filter((stage) => stage['task_id'] !== null);
    expect(tasks.map((task) => task['id']).toSorted(byText)).toEqual(
      begun.map((stage) => stage['task_id']).toSorted(byText),
    );
    for (const stage of begun) {
      for (const name of stage['dependencies'] as string[]) {
        expect(stages[name]?.['status']).toBe('completed');
        expect(String(stages[name]?.['ended_at']) <= String(stage['started_at'])).toBe(true);
      }
    }
    const ends = Object.values(stages).map((stage) => stage['status']);
    expect(ends).not.toContain('pending');
    expect(ends).not.toContain('running');
    expect(workflow['status']).toBe(ends.every((end) => end === 'completed') ? 'completed' : 'failed');
    const events = await api.eventsOf(id);
    expect(events.map((event) => event['seq'])).toEqual(events.map((_, index) => index + 1));
  }
});

const byText = (a: unknown, b: unknown): number => String(a).localeCompare(String(b));
