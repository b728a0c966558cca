import { AgentsApi, type Answer, type Member } from './agents-api.js';
import type { TestApp } from './app.js';
import { until } from './wait-for.js';

/** A delivery as `GET /deliveries/{id}` shows it. */
export type Shown = Readonly<Record<string, unknown>>;

/** Deliveries as their routes show them, and what makes them. */
export class DeliveriesApi {
  private constructor(readonly agents: AgentsApi) {}

  static async of(app: TestApp): Promise<DeliveriesApi> {
    return new DeliveriesApi(await AgentsApi.of(app));
  }

  /** A stored subscription with a webhook, of a project's events from now on. */
  async subscribe(
    member: Member,
    url: string,
    { topics = ['#'], filters = {}, project = 'default' } = {},
  ): Promise<string> {
    const id = this.agents.unique('subscription');
    await this.agents.query(
      `INSERT INTO subscriptions (id, project_id, agent_id, agent_project, topics, filters, webhook_url, from_pos, created_at)
       SELECT $1, $2, $3, (SELECT project_id FROM agents WHERE id = $3), $4::text[], $5::json, $6, coalesce(max(pos), 0), clock_timestamp() FROM events`,
      [id, project, member.id, topics, JSON.stringify(filters), url],
    );
    return id;
  }

  /** Tells everybody something, with a task of its own type. @returns its event's type and the task's id */
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
