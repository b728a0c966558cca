import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../support/app.js';
import { TestSocket } from '../support/sockets.js';
import { until } from '../support/wait-for.js';
import { WorkflowsApi } from '../support/workflows-api.js';

describe('claims of large tasks', () => {
  let app: TestApp;
  let api: WorkflowsApi;

  beforeAll(async () => {
    app = await startApp();
    api = await WorkflowsApi.of(app);
  });
  afterAll(() => app.close());

  /** Tasks of which 19 fill what a claim hands out. @returns their ids, in claim order */
  async function largeTasks(count: number): Promise<{ type: string; ids: string[] }> {
    const type = api.unique('large');
    const ids = Array.from({ length: count }, (_, index) => `${type}-${index}`);
    const input = { text: 'x'.repeat(900_000) };
    for (const id of ids) await api.call('POST', '/tasks', { id, type, input_data: input });
    return { type, ids };
  }

  it('hand out 16 MiB at once, in claim order, and the rest next', async () => {
    const { type, ids } = await largeTasks(40);
    const worker = await api.agent(type);
    const claims = [await worker.look(), await worker.look(), await worker.look()];
    expect(claims.map((items) => items.length)).toEqual([19, 19, 2]);
    expect(claims.flat().map((item) => item.id)).toEqual(ids);
    expect(await worker.look()).toEqual([]);
  });

  it('of several agents at once give each some, and hand out all', async () => {
    const { type, ids } = await largeTasks(40);
    const workers = await Promise.all([1, 2, 3].map(() => api.agent(type)));
    const look = async (): Promise<string[]> =>
      (await Promise.all(workers.map((worker) => worker.look()))).flat().map((item) => item.id);
    const claimed = (await Promise.all(workers.map((worker) => worker.claim())))
      .flat()
      .map((item) => item.id);
    await until(async () => claimed.push(...(await look())) === ids.length);
    expect(claimed.toSorted()).toEqual(ids.toSorted());
  });

  it('go on by themselves for an agent whose socket is ready', async () => {
    const { type, ids } = await largeTasks(25);
    const worker = await api.agent(type);
    const socket = await TestSocket.connect(app.url, { token: worker.token });
    await socket.do('ready', { capacity: 100 });
    const assigned = (): string[] =>
      socket.events.flatMap(({ event_type: name, payload }) =>
        name === 'task.assigned' ? [String(payload['task_id'])] : [],
      );
    await until(() => assigned().length === 25);
    expect(assigned().toSorted()).toEqual(ids.toSorted());
    socket.socket.disconnect();
  });
});
