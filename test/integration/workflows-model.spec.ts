import { deepStrictEqual as equal } from 'node:assert/strict';
import { afterAll, beforeAll } from '@jest/globals';
import fc from 'fast-check';
import { WorkflowInMemory } from '../../src/workflows/domain/workflow-in-memory.js';
import type { WorkflowConfiguration } from '../../src/workflows/domain/workflow.js';
import { startApp, type TestApp } from '../support/app.js';
import { type Game, itDoesWhatTheModelDoes } from '../support/model.js';
import { until } from '../support/wait-for.js';
import { type Agent, type Answer, type Item, type Json, WorkflowsApi } from '../support/workflows-api.js';

const REQUESTS = ['pause', 'resume', 'cancel', 'retry'] as const;
const ENDS = ['completed', 'completed', 'completed', 'failed', 'cancelled'] as const;

/** What is done next; `pick` chooses among what there is. */
type Command =
  | { readonly request: (typeof REQUESTS)[number] }
  | { readonly end: (typeof ENDS)[number]; readonly pick: number };

let app: TestApp;
let api: WorkflowsApi;

beforeAll(async () => {
  app = await startApp();
  api = await WorkflowsApi.of(app);
});
afterAll(() => app.close());

itDoesWhatTheModelDoes(courses(), commands(), begin);

interface Course {
  readonly graph: Record<string, readonly string[]>;
  readonly configuration: WorkflowConfiguration;
  readonly compensable: readonly string[];
}

async function begin({ graph, configuration, compensable }: Course): Promise<WorkflowGame> {
  const model = new WorkflowInMemory(graph, configuration, compensable);
  model.look();
  const undo = api.unique('undo');
  const stage = (name: string): Json => (compensable.includes(name) ? { compensation: undo } : {});
  const { id, type } = await api.start(graph, { ...configuration }, {}, stage);
  return new WorkflowGame(id, model, [await api.agent(type), await api.agent(undo)]);
}

class WorkflowGame implements Game<Command> {
  private readonly held = new Map<string, { readonly item: Item; readonly holder: Agent }>();

  constructor(
    private readonly id: string,
    private readonly model: WorkflowInMemory,
    private readonly agents: readonly Agent[],
  ) {}

  play(command: Command): Promise<void> {
    return 'request' in command ? this.request(command.request) : this.end(command.end, command.pick);
  }

  async compare(): Promise<void> {
    const { status, statuses, made } = this.model;
    await until(async () => {
      const { body } = await api.call('GET', `/tasks?parent_workflow_id=${this.id}&limit=200`);
      equal(
        {
          status: await api.statusOf(this.id),
          statuses: await api.statuses(this.id),
          tasks: (body['items'] as Json[]).length,
        },
        { status, statuses, tasks: made.length },
      );
      return true;
    });
  }

  private async request(what: (typeof REQUESTS)[number]): Promise<void> {
    let refused = false;
    try {
      this.model[what]();
    } catch {
      refused = true;
    }
    const { status } = await api.call('POST', `/workflows/${this.id}/${what}`);
    equal({ what, status }, { what, status: refused ? 409 : 200 });
  }

  /** An agent, or a client, ends one of the open tasks, if somebody holds it. */
  private async end(status: (typeof ENDS)[number], pick: number): Promise<void> {
    const { open } = this.model;
    const task = open[pick % Math.max(open.length, 1)];
    if (task === undefined) return;
    const stage = (await api.stagesOf(this.id))[task.replace('undo ', '').replace(/#.*/, '')];
    const taskId = String(stage?.[task.startsWith('undo ') ? 'compensation_task_id' : 'task_id']);
    await this.claim();
    const held = this.held.get(taskId);
    let answer: Answer;
    if (status === 'cancelled') answer = await api.call('POST', `/tasks/${taskId}/cancel`);
    else if (held === undefined) {
      // What was not taken before the pause waits until it is over.
      equal(this.model.status, 'paused');
      return;
    } else if (status === 'completed') answer = await held.holder.complete(held.item, { of: task });
    else answer = await held.holder.fail(held.item, 'BROKEN');
    equal(answer.status, 200);
    this.model.endTask(task, status);
    this.model.look();
  }

  private async claim(): Promise<void> {
    for (const holder of this.agents) {
      for (const item of await holder.look()) this.held.set(item.id, { item, holder });
    }
  }
}

function commands(): fc.Arbitrary<Command> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.record({ end: fc.constantFrom(...ENDS), pick: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ request: fc.constantFrom(...REQUESTS) }) },
  );
}

function courses(): fc.Arbitrary<Course> {
  return fc
    .record({
      size: fc.integer({ min: 1, max: 6 }),
      edges: fc.array(fc.boolean(), { minLength: 36, maxLength: 36 }),
      undone: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
      parallel: fc.boolean(),
      strategy: fc.constantFrom(
        'stop_on_error' as const,
        'continue_on_error' as const,
        'compensate' as const,
      ),
    })
    .map(({ size, edges, undone, parallel, strategy }) => {
      const names = Array.from({ length: size }, (_, index) => `s${index}`);
      const graph = Object.fromEntries(
        names.map((name, index) => [name, names.slice(0, index).filter((_, one) => edges[index * 6 + one])]),
      );
      return {
        graph,
        configuration: { parallel_execution: parallel, failure_strategy: strategy },
        compensable: names.filter((_, index) => undone[index]),
      };
    });
}
