import { deepStrictEqual as equal } from 'node:assert/strict';
import { afterAll, beforeAll } from '@jest/globals';
import fc from 'fast-check';
import { AGENT_COMMANDS, type AgentCommand, AgentInMemory } from '../../src/agents/domain/agent-in-memory.js';
import { AgentsApi, type Answer, codeOf, type Credentials } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { assertKnownEvents } from '../support/known-events.js';
import { type Game, itDoesWhatTheModelDoes } from '../support/model.js';
import { until } from '../support/wait-for.js';

/** So long a sign of life is not written again, in ms. */
const NOTED_FOR = 1_000;
/** Seconds of its lease that a silent agent has left: between the half of 90 and nothing, or less. */
const LEFT = { suspect: 40, offline: -1 } as const;

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

itDoesWhatTheModelDoes(
  fc.constant('agent'),
  fc.constantFrom(...AGENT_COMMANDS),
  async (name) => new AgentGame(api.unique(name)),
);

interface Item {
  readonly id: string;
  readonly status: string;
  readonly lease_token: string;
}

function said(answer: Answer): string {
  if (answer.status === 201) return 'created';
  return answer.status < 300 ? 'ok' : String(codeOf(answer));
}

class AgentGame implements Game<AgentCommand> {
  private readonly model = new AgentInMemory();
  private readonly path: string;
  /** Of the tasks that it claimed. */
  private readonly leases = new Map<string, string>();
  /** Its own; while it has none, the admin calls for it. */
  private token: string | undefined;
  /** When it claimed or reported last. */
  private calledAt = 0;

  constructor(private readonly id: string) {
    this.path = `/agents/${id}`;
  }

  async play(command: AgentCommand): Promise<void> {
    equal(await this.give(command), this.model.give(command));
  }

  async compare(): Promise<void> {
    await until(async () => {
      equal(await this.shown(), this.expected);
      return true;
    });
  }

  private async give(command: AgentCommand): Promise<string> {
    switch (command.kind) {
      case 'register':
        return this.register(command.capacity, this.model.kept(command.keeps));
      case 'beat':
        return said(await api.beat(this.id, this.session(command.session), this.token));
      case 'claim':
        return this.claim(command.max, this.session(command.session));
      case 'finish':
        return this.finish();
      case 'fall_silent':
        return this.fallSilent(LEFT[command.until]);
      case 'post':
        return this.post(this.model.tasks.length);
      case 'resize':
        return said(await api.call('PATCH', this.path, { configuration: configured(command.capacity) }));
      case 'resume':
        return said(await api.call('PATCH', this.path, { status: 'active' }));
      case 'drain':
        return said(await api.call('POST', `${this.path}/drain`));
      case 'deregister': {
        const answer = await api.call('DELETE', this.path, undefined, this.token);
        this.token = undefined;
        return said(answer);
      }
    }
  }

  private async register(capacity: number, kept: readonly number[]): Promise<string> {
    const body = { id: this.id, type: this.id, configuration: configured(capacity) };
    const held = kept.map((task) => this.task(task));
    const answer = await api.register({ ...body, held_tasks: held }, this.token);
    // Shown with the first registration alone.
    const credentials = answer.body['credentials'] as Credentials | undefined;
    if (credentials !== undefined)
      this.token = await app.token(credentials.client_id, credentials.client_secret);
    return said(answer);
  }

  private async claim(max: number, session: object): Promise<string> {
    await this.beNews();
    const answer = await api.call('POST', `${this.path}/claim`, { max_tasks: max, ...session }, this.token);
    this.calledAt = Date.now();
    for (const item of (answer.body['items'] ?? []) as Item[]) this.leases.set(item.id, item.lease_token);
    return said(answer);
  }

  private async finish(): Promise<string> {
    const [oldest] = this.model.held;
    if (oldest === undefined) return 'ok';
    await this.beNews();
    const id = this.task(oldest);
    const report = { status: 'completed', lease_token: this.leases.get(id) };
    const answer = await api.call('PATCH', `/tasks/${id}`, report, this.token);
    this.calledAt = Date.now();
    return said(answer);
  }

  /** No agent falls silent so fast: until its last call is forgotten, the next one says nothing new. */
  private async beNews(): Promise<void> {
    if (this.model.liveness !== 'active') await until(() => Date.now() > this.calledAt + NOTED_FOR);
  }

  private async fallSilent(left: number): Promise<string> {
    const found = await api.query(
      'UPDATE agents SET lease_until = clock_timestamp() + make_interval(secs => $2) WHERE id = $1 RETURNING id',
      [this.id, left],
    );
    return found.length > 0 ? 'ok' : 'NOT_FOUND';
  }

  private async post(number: number): Promise<string> {
    const body = { id: this.task(number), type: this.id, retry_policy: { max_attempts: 100 } };
    const { status } = await api.call('POST', '/tasks', body);
    equal(status, 201);
    return 'ok';
  }

  private session(named: string): object {
    const { epoch } = this.model;
    if (named === 'older') return epoch > 1 ? { session_epoch: epoch - 1 } : {};
    return named === 'present' && epoch > 0 ? { session_epoch: epoch } : {};
  }

  /** Their ids keep the order of their ages. */
  private task(number: number): string {
    return `${this.id}.${String(number).padStart(2, '0')}`;
  }

  private get expected(): object {
    const { isRegistered, status, liveness, epoch, held, tasks, events } = this.model;
    return {
      agent: isRegistered ? { status, liveness, epoch, held: held.length } : 'NOT_FOUND',
      tasks: tasks.map((one, number) => `${this.task(number)} ${one}`),
      events: events.map(([type, before, after], index) => [index + 1, type, before, after]),
    };
  }

  private async shown(): Promise<object> {
    const agent = await api.call('GET', this.path);
    const { status, session_epoch: epoch, current_tasks: held } = agent.body;
    // A drain hides it from clients.
    const [row] = await api.query<{ liveness: string }>('SELECT liveness FROM agents WHERE id = $1', [
      this.id,
    ]);
    const list = await api.call('GET', `/tasks?type=${this.id}&limit=200`);
    const tasks = (list.body['items'] as Item[]).map((task) => `${task.id} ${task.status}`);
    const events = await api.eventsOf(this.id);
    return {
      agent: agent.status === 200 ? { status, liveness: row?.liveness, epoch, held } : codeOf(agent),
      tasks: tasks.toSorted(),
      events: events.map(({ seq, type, payload }) => [
        seq,
        type,
        payload['previous_status'],
        payload['status'],
      ]),
    };
  }
}

function configured(capacity: number): object {
  return { max_concurrent_tasks: capacity };
}
