import type { TestApp } from './app.js';

export type Json = Record<string, unknown>;

export interface Answer {
  readonly status: number;
  // What the server answered, as a client without types sees it.
  readonly body: Json;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Item {
  readonly id: string;
  readonly type: string;
  readonly attempt: number;
  readonly input_data: Json;
}

/** An agent of a test: registered, with a token of its own. */
export interface Agent {
  readonly id: string;
  readonly token: string;
  /** Waits until it has claimed as many tasks. */
  claim(count?: number): Promise<Item[]>;
  /** What there is to claim, now or within the wait. */
  look(waitMs?: number): Promise<Item[]>;
  complete(item: Item, output?: Json): Promise<Answer>;
  fail(item: Item, code: string, retryable?: boolean): Promise<Answer>;
  /** The tasks that it is told to let go of, of those it says it works on. */
  revoked(...working: Item[]): Promise<unknown>;
}

/** The workflows' routes as the admin calls them, and agents that do the work. */
export class WorkflowsApi {
  private names = 0;

  constructor(
    readonly app: TestApp,
    private readonly admin: string,
  ) {}

  static async of(app: TestApp): Promise<WorkflowsApi> {
    return new WorkflowsApi(app, await app.adminToken());
  }

  async call(
    method: string,
    path: string,
    body?: object,
    token = this.admin,
    server = this.app,
  ): Promise<Answer> {
    const call = { token, ...(body === undefined ? {} : { body }) };
    return (await server.http(method, `/api/v1${path}`, call)) as Answer;
  }

  unique(name: string): string {
    return `${name}-${(this.names += 1)}`;
  }

  async get(id: string): Promise<Json> {
    return (await this.call('GET', `/workflows/${id}`)).body;
  }

  async statusOf(id: string): Promise<unknown> {
    return (await this.get(id))['status'];
  }

  async agent(type: string, projectId = 'default', server = this.app): Promise<Agent> {
    const id = this.unique('agent');
    const configuration = { max_concurrent_tasks: 100 };
    const body = { id, type, project_id: projectId, configuration };
    const registered = await this.call('POST', '/agents/register', body);
    if (registered.status !== 201) throw new Error(JSON.stringify(registered.body));
    const { client_id: clientId, client_secret: secret } = registered.body['credentials'] as Json;
    const token = await this.app.token(String(clientId), String(secret));
    const own = (path: string, posted: object): Promise<Answer> =>
      this.call('POST', `/agents/${id}${path}`, posted, token, server);
    const claim = async (waitMs: number): Promise<Item[]> => {
      const answer = await own('/claim', { max_tasks: 100, wait_ms: waitMs });
      if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
      return answer.body['items'] as Item[];
    };
    const report = (item: Item, told: Json): Promise<Answer> =>
      this.call('PATCH', `/tasks/${item.id}`, { attempt: item.attempt, ...told }, token, server);
    return {
      id,
      token,
      claim: async (count = 1) => {
        const items: Item[] = [];
        while (items.length < count) items.push(...(await claim(10_000)));
        return items;
      },
      look: (waitMs = 0) => claim(waitMs),
      complete: (item, output = {}) => report(item, { status: 'completed', output_data: output }),
      fail: (item, code, retryable = false) =>
        report(item, { status: 'failed', error: { code, message: code, retryable } }),
      revoked: async (...working) => {
        const task_ids = working.map((item) => item.id);
        return (await own('/heartbeat', { status: 'active', task_ids })).body['revoked_tasks'];
      },
    };
  }

  /**
   * Posts a workflow whose stages all have a type of their own; `graph` is `stage: its dependencies`.
   * @param stage more of each stage
   */
  async start(
    graph: Record<string, readonly string[]>,
    configuration: Json = {},
    more: Json = {},
    stage: Json | ((name: string) => Json) = {},
  ): Promise<{ id: string; type: string }> {
    const type = this.unique('type');
    const stages = Object.entries(graph).map(([name, dependencies]) => ({
      name,
      agent_type: type,
      dependencies,
      ...(typeof stage === 'function' ? stage(name) : stage),
    }));
    const posted = await this.call('POST', '/workflows', { name: 'test', stages, configuration, ...more });
    if (posted.status !== 201) throw new Error(JSON.stringify(posted.body));
    return { id: String(posted.body['id']), type };
  }

  async stagesOf(id: string): Promise<Record<string, Json>> {
    const stages = (await this.get(id))['stages'] as Json[];
    return Object.fromEntries(stages.map((stage) => [String(stage['name']), stage]));
  }

  async statuses(id: string): Promise<Record<string, unknown>> {
    return Object.fromEntries(
      Object.entries(await this.stagesOf(id)).map(([name, stage]) => [name, stage['status']]),
    );
  }

  /** Claims the tasks of these stages, in the order asked for, whenever they come. */
  async claimStages(worker: Agent, id: string, ...wanted: string[]): Promise<Item[]> {
    const items = await worker.claim(wanted.length);
    const stages = await this.stagesOf(id);
    return wanted.map((name) => {
      const item = items.find((one) => one.id === stages[name]?.['task_id']);
      if (item === undefined) throw new Error(`stage ${name} was not claimed`);
      return item;
    });
  }

  async eventsOf(id: string, topics = 'workflow.*'): Promise<Json[]> {
    const events: Json[] = [];
    for (let after = ''; ;) {
      const query = `correlation_id=${id}&topics=${encodeURIComponent(topics)}&limit=200`;
      const page = (await this.call('GET', `/events?${query}${after}`)).body;
      const items = page['items'] as Json[];
      if (items.length === 0) return events;
      events.push(...items);
      after = `&after=${String(page['next_cursor'])}`;
    }
  }
}
