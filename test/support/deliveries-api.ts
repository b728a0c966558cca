import { AgentsApi, type Answer, type Member } from './agents-api.js';
import type { TestApp } from './app.js';
import { until } from './wait-for.js';

/** A delivery as `GET /deliveries/{id}` shows it. */
export type Shown = Readonly<Record<string, unknown>>;

interface Wanted {
  readonly topics?: readonly string[];
  readonly filters?: object;
  readonly project?: string;
}

/** Deliveries as their routes show them, and what makes them. */
export class DeliveriesApi {
  private constructor(readonly agents: AgentsApi) {}

  static async of(app: TestApp): Promise<DeliveriesApi> {
    return new DeliveriesApi(await AgentsApi.of(app));
  }

  /** A stored subscription with a webhook, of all projects unless one is named. @returns its id */
  async subscribe(
    { id: agentId, token }: Member,
    url: string,
    { topics = ['#'], filters = {}, project }: Wanted = {},
  ): Promise<string> {
    const named = project === undefined ? {} : { project_id: project };
    const posted = { agent_id: agentId, topics, filters, webhook_url: url, ...named };
    const { status, body } = await this.agents.call('POST', '/subscriptions', posted, token);
    if (status !== 201) throw new Error(JSON.stringify(body));
    return String(body['id']);
  }

  /** Tells everybody something, with a task of its own type. @returns the task's id */
  async happen(type: string): Promise<string> {
    const { body } = await this.agents.call('POST', '/tasks', { type });
    return String(body['id']);
  }

  async list(query = ''): Promise<Shown[]> {
    return (await this.read(query)).body['items'] as Shown[];
  }

  read(query: string, token?: string): Promise<Answer> {
    return this.agents.call('GET', `/deliveries?${query}`, undefined, token);
  }

  async get(id: unknown): Promise<Shown> {
    return (await this.agents.call('GET', `/deliveries/${String(id)}`)).body;
  }

  /** The first delivery of a subscription, once it is as expected. */
  becomes(subscription: string, status: string, within = 15_000): Promise<Shown> {
    return until(
      async () => {
        const [one] = await this.list(`subscription_id=${subscription}`);
        if (one?.['status'] !== status) throw new Error(`not ${status} but ${JSON.stringify(one)}`);
        return one;
      },
      { within },
    );
  }
}
