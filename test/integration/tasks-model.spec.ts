import { deepStrictEqual as equal } from 'node:assert/strict';
import { afterAll, beforeAll } from '@jest/globals';
import fc from 'fast-check';
import {
  TASK_COMMANDS,
  TASK_COURSES,
  type TaskCommand,
  type TaskCourse,
} from '../../src/tasks/domain/task-courses.js';
import { TaskInMemory } from '../../src/tasks/domain/task-in-memory.js';
import { AgentsApi, type Answer, codeOf, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { assertKnownEvents } from '../support/known-events.js';
import { type Game, itDoesWhatTheModelDoes } from '../support/model.js';
import { until } from '../support/wait-for.js';

let app: TestApp;
let api: AgentsApi;

beforeAll(async () => {
  app = await startApp();
  api = await AgentsApi.of(app);
});
afterAll(async () => {
  await assertKnownEvents(app);
  await app.close();
});

/** A backoff of a moment goes another way than none at all. */
const starts = fc.record({
  course: fc.constantFrom(...TASK_COURSES),
  backoff: fc.constantFrom(0, 0, 0, 0.01),
});

itDoesWhatTheModelDoes(starts, fc.constantFrom(...TASK_COMMANDS), begin);

interface Item {
  readonly id: string;
  readonly attempt: number;
  readonly lease_token: string;
}

interface History {
  readonly attempts: readonly { readonly agent_id: string; readonly outcome: string | null }[];
  readonly events: readonly { readonly event_type: string; readonly seq: number }[];
}

async function begin({ course, backoff }: { course: TaskCourse; backoff: number }): Promise<TaskGame> {
  const first = await api.member();
  const second = await api.member({ type: first.type });
  const policy = { initial_delay: backoff, jitter: 'none', non_retryable_errors: ['LISTED'] };
  const other = await api.member();
  const dependencies =
    course.dependency === 'none' ? [] : [await post({ type: other.type, assigned_agent: other.id })];
  const id = await post({
    type: first.type,
    dependencies,
    retry_policy: { ...policy, max_attempts: course.attempts },
    ...(course.dependency === 'none' ? {} : { on_dependency_failure: course.dependency }),
    ...(course.isReserved ? { assigned_agent: first.id } : {}),
  });
  return new TaskGame(id, new TaskInMemory(course), { first, second, other }, dependencies);
}

async function post(body: object): Promise<string> {
  const { body: task } = await api.call('POST', '/tasks', body);
  return String(task['id']);
}

const said = (answer: Answer): string => (answer.status === 200 ? 'ok' : String(codeOf(answer)));

class TaskGame implements Game<TaskCommand> {
  /** Of each attempt that was claimed. */
  private readonly tokens = new Map<number, string>();

  constructor(
    private readonly id: string,
    private readonly model: TaskInMemory,
    private readonly agents: Readonly<Record<'first' | 'second' | 'other', Member>>,
    private readonly dependencies: readonly string[],
  ) {}

  async play(command: TaskCommand): Promise<void> {
    const { attempt } = this.model;
    const expected: readonly string[] = this.model.give(command);
    const answer = await this.give(command, attempt, expected.includes('ok'));
    equal({ answer, isExpected: expected.includes(answer) }, { answer, isExpected: true });
  }

  async compare(): Promise<void> {
    await until(async () => {
      equal(await this.shown(), this.expected);
      return true;
    });
  }

  private async give(command: TaskCommand, attempt: number, isAllowed: boolean): Promise<string> {
    switch (command.kind) {
      case 'claim':
        // It may be in its backoff, or on its way out of it.
        return this.claim(this.agents[command.by], isAllowed ? 10_000 : 0);
      case 'report': {
        const proof = this.proof(command.proof, attempt);
        const { token } = this.agents[command.by];
        return said(await api.call('PATCH', `/tasks/${this.id}`, { ...command.told, ...proof }, token));
      }
      case 'edit': {
        const { kind: _kind, ...changes } = command;
        return said(await api.call('PATCH', `/tasks/${this.id}`, changes));
      }
      case 'cancel':
      case 'retry':
        return said(await api.call('POST', `/tasks/${this.id}/${command.kind}`));
      case 'end_dependency':
        return this.endDependencies(command.as);
      case 'lose_lease':
        return this.pass('lease_until', ['assigned']);
      case 'time_out':
        return this.pass('deadline_at', ['assigned', 'in_progress']);
    }
  }

  private async claim({ id, token }: Member, waitMs: number): Promise<string> {
    const answer = await api.call('POST', `/agents/${id}/claim`, { wait_ms: waitMs }, token);
    const [item] = answer.body['items'] as Item[];
    if (item === undefined) return 'nothing';
    equal(item.id, this.id);
    this.tokens.set(item.attempt, item.lease_token);
    return said(answer);
  }

  private proof(kind: string, attempt: number): object {
    const tokens = [...this.tokens].filter(([of]) => of !== attempt).map(([, token]) => token);
    switch (kind) {
      case 'token':
        return { lease_token: this.tokens.get(attempt) ?? 'made-up' };
      case 'old token':
        return { lease_token: tokens.at(-1) ?? 'made-up' };
      case 'attempt':
        return { attempt: Math.max(attempt, 1) };
      case 'old attempt':
        return { attempt: attempt > 1 ? attempt - 1 : attempt + 1 };
      default:
        return {};
    }
  }

  /** What has ended already stays as it is. */
  private async endDependencies(as: string): Promise<string> {
    for (const path of this.dependencies.map((id) => `/tasks/${id}`)) {
      if (as === 'cancelled') await api.call('POST', `${path}/cancel`);
      else
        for (const status of ['in_progress', 'completed'])
          await api.call('PATCH', path, { status }, this.agents.other.token);
    }
    return 'ok';
  }

  /** Has the time come that a task in one of these states must not reach. */
  private async pass(time: 'lease_until' | 'deadline_at', states: readonly string[]): Promise<string> {
    await api.query(
      `UPDATE tasks SET ${time} = clock_timestamp(), check_at = clock_timestamp() WHERE id = $1 AND status = ANY($2)`,
      [this.id, states],
    );
    return 'ok';
  }

  private get expected(): object {
    const { agent, attempts, events, ...rest } = this.model.shown;
    return {
      ...rest,
      agent: agent === null ? null : this.agents[agent].id,
      attempts: attempts.map(({ by, outcome }) => ({ by: this.agents[by].id, outcome })),
      events: events.map((type, index) => `${index + 1} ${type}`),
    };
  }

  private async shown(): Promise<object> {
    const { body: task } = await api.call('GET', `/tasks/${this.id}`);
    const { body } = await api.call('GET', `/tasks/${this.id}/history`);
    // The server's own answer, as the contract has it.
    const { attempts, events } = body as unknown as History;
    const error = task['error'] as { code: string; attempt?: number } | null;
    return {
      status: task['status'],
      agent: task['assigned_agent'],
      priority: task['priority'],
      attempt: task['attempt'],
      progress: task['progress'],
      output: task['output_data'],
      error:
        error === null
          ? null
          : { code: error.code, ...('attempt' in error ? { attempt: error.attempt } : {}) },
      attempts: attempts.map(({ agent_id: by, outcome }) => ({ by, outcome })),
      events: events.map(({ event_type: type, seq }) => `${seq} ${type}`),
    };
  }
}
