import { createHash } from 'node:crypto';
import { Database } from '../../src/platform/database/database.js';
import type { TestApp } from './app.js';

/** What the server answered, as a client without types sees it. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Credentials {
  readonly client_id: string;
  readonly client_secret: string;
  readonly webhook_secret: string;
}

/** A registered agent of a type of its own, with a token of its own. */
export interface Member {
  readonly id: string;
  readonly type: string;
  readonly token: string;
  readonly credentials: Credentials;
}

interface StoredEvent {
  readonly type: string;
  readonly topic: string;
  readonly seq: number;
  readonly source_agent: string | null;
  readonly correlation_id: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** The agents' routes as the admin, or the bearer of another token, calls them. */
export class AgentsApi {
  private names = 0;

  constructor(
    readonly app: TestApp,
    private readonly admin: string,
  ) {}

  static async of(app: TestApp): Promise<AgentsApi> {
    return new AgentsApi(app, await app.adminToken());
  }

  unique(name: string): string {
    return `${name}-${(this.names += 1)}`;
  }

  async call(method: string, path: string, body?: object, token = this.admin): Promise<Answer> {
    return (await this.app.http(method, `/api/v1${path}`, { token, body })) as Answer;
  }

  register(body: object, token?: string): Promise<Answer> {
    return this.call('POST', '/agents/register', body, token);
  }

  beat(id: string, body: object = {}, token?: string): Promise<Answer> {
    return this.call('POST', `/agents/${id}/heartbeat`, body, token);
  }

  async get(id: string): Promise<Answer['body']> {
    return (await this.call('GET', `/agents/${id}`)).body;
  }

  async member(more: object = {}): Promise<Member> {
    const id = this.unique('member');
    const { status, body } = await this.register({ id, type: id, ...more });
    if (status !== 201) throw new Error(JSON.stringify(body));
    const credentials = body['credentials'] as Credentials;
    const token = await this.app.token(credentials.client_id, credentials.client_secret);
    return { id, type: String(body['type']), token, credentials };
  }

  /** The token of a new client. */
  async client(project: string, scope: string): Promise<string> {
    const { body } = await this.call('POST', '/auth/clients', { name: 'test', project_id: project, scope });
    return this.app.token(String(body['client_id']), String(body['client_secret']));
  }

  query<R>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    // Statements are prepared by name, and names are short.
    const name = createHash('md5').update(text).digest('hex');
    return this.app.app.get(Database, { strict: false }).query<R>({ name, text }, values);
  }

  eventsOf(id: string): Promise<StoredEvent[]> {
    return this.query<StoredEvent>(
      `SELECT type, topic, seq, source_agent, correlation_id, payload FROM events
       WHERE aggregate_id = $1 AND type LIKE 'agent.%' ORDER BY pos`,
      [id],
    );
  }

  /** Each of an agent's events with the statuses before and after it. */
  async storyOf(id: string): Promise<unknown[][]> {
    const events = await this.eventsOf(id);
    return events.map(({ type, payload }) => [type, payload['previous_status'], payload['status']]);
  }
}

export const codeOf = (answer: Answer): unknown =>
  (answer.body['error'] as { code?: unknown } | undefined)?.code;
export const idsOf = (answer: Answer): unknown[] =>
  (answer.body['items'] as { id: string }[]).map(({ id }) => id);

/** What a refusal says: its code, and each path with what is wrong there. */
export function refusalOf({ status, body }: Answer): unknown {
  const { code, details } = body['error'] as {
    code: string;
    details: { errors?: { path: string; message: string }[] };
  };
  return [
    status,
    code,
    Object.fromEntries((details.errors ?? []).map(({ path, message }) => [path, message])),
  ];
}
