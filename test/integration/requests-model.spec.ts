import { deepStrictEqual as equal } from 'node:assert/strict';
import { afterAll, beforeAll } from '@jest/globals';
import fc from 'fast-check';
import { AgentsApi, type Answer, codeOf, type Member } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { assertKnownEvents } from '../support/known-events.js';
import { type Game, itDoesWhatTheModelDoes } from '../support/model.js';
import {
  type Asked,
  type Reply,
  type RequestCommand,
  RequestsInMemory,
} from '../support/requests-in-memory.js';
import { until } from '../support/wait-for.js';

/** Ids of responses; others are the server’s. */
const CHOSEN = ['x', 'y'];

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

itDoesWhatTheModelDoes(fc.constant('talk'), commands(), async (name) => {
  const one = (): Promise<Member> => api.member({ project_id: 'p' });
  return new RequestsGame(api.unique(name), [await one(), await one(), await one()]);
});

interface Envelope {
  readonly event_type: string;
  readonly seq: number;
  readonly payload: { readonly request_id: string };
}

interface Stored {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  readonly status: string;
  readonly response: { readonly id: string; readonly data: { readonly n: number } } | null;
}

const said = (answer: Answer): string =>
  `${answer.status} ${String(codeOf(answer) ?? answer.body['status'])}`;

class RequestsGame implements Game<RequestCommand> {
  private readonly model = new RequestsInMemory();
  /** What the server calls a request, and what the model does. */
  private readonly names = new Map<string, string>();

  /** @param talk the correlation id of all that is asked */
  constructor(
    private readonly talk: string,
    private readonly agents: readonly Member[],
  ) {}

  async play(command: RequestCommand): Promise<void> {
    if (command.kind === 'ask') return this.ask(command);
    const asked = this.model.at(command.about);
    // Nobody has asked anything yet.
    if (asked === undefined) return undefined;
    if (command.kind === 'answer') {
      const by = command.by === 'target' ? asked.target : command.by;
      return this.answer(asked, by, command.reply);
    }
    await api.query('UPDATE requests SET deadline_at = clock_timestamp() WHERE id = $1', [
      this.idOf(asked.id),
    ]);
    this.model.expire(asked);
    if (command.late !== null) await this.answer(asked, asked.target, command.late);
  }

  async compare(): Promise<void> {
    await until(async () => {
      equal(await this.shown(), this.expected);
      return true;
    });
  }

  private async ask(command: RequestCommand & { kind: 'ask' }): Promise<void> {
    const id = command.id === null ? {} : { id: `${this.talk}.${command.id}` };
    const target = this.agents[command.target]?.id;
    const body = { ...id, target, type: 'x', data: { n: command.n }, correlation_id: this.talk };
    const answer = await api.call('POST', '/requests', body, this.agents[command.by]?.token);
    equal(said(answer), this.model.ask(command));
    const made = this.model.asked.at(-1);
    if (answer.status === 202 && made !== undefined) this.names.set(String(answer.body['id']), made.id);
  }

  private async answer(asked: Asked, by: number, { id, n }: Reply): Promise<void> {
    const body = { status: 'success', data: { n }, ...(id === null ? {} : { id }) };
    const path = `/requests/${this.idOf(asked.id)}/response`;
    const answer = await api.call('POST', path, body, this.agents[by]?.token);
    equal(said(answer), this.model.answer(asked, by, { id, n }));
  }

  private idOf(name: string): string {
    const [id = name] = [...this.names].find(([, one]) => one === name) ?? [];
    return id;
  }

  private get expected(): object {
    const { asked, events, mailboxes } = this.model;
    return {
      asked: asked.map(({ id, source, target, status, response }) => ({
        id,
        source: this.agents[source]?.id,
        target: this.agents[target]?.id,
        status,
        response: response && { id: response.id ?? 'made', n: response.n },
      })),
      events,
      mailboxes,
    };
  }

  private async shown(): Promise<object> {
    const query = `correlation_id=${this.talk}&limit=200`;
    const stored = await this.list<Stored>(`/requests?${query}`);
    const events = await this.list<Envelope>(`/events?topics=request.*&${query}`);
    const mailboxes = await Promise.all(
      this.agents.map(({ id, token }) => this.list<Envelope>(`/agents/${id}/mailbox?limit=200`, token)),
    );
    const told = ({ event_type: type, payload }: Envelope): string =>
      `${type} ${this.names.get(payload.request_id)}`;
    return {
      asked: stored.toReversed().map(({ id, source, target, status, response }) => ({
        id: this.names.get(id),
        source,
        target,
        status,
        response: response && { id: CHOSEN.includes(response.id) ? response.id : 'made', n: response.data.n },
      })),
      events: events.map((event) => `${told(event)} ${event.seq}`),
      mailboxes: mailboxes.map((mailbox) => mailbox.map(told)),
    };
  }

  private async list<T>(path: string, token?: string): Promise<T[]> {
    return (await api.call('GET', path, undefined, token)).body['items'] as T[];
  }
}

function commands(): fc.Arbitrary<RequestCommand> {
  const agent = fc.nat({ max: 2 });
  const n = fc.nat({ max: 1 });
  const about = fc.nat();
  const reply = fc.record({ id: fc.constantFrom(null, ...CHOSEN), n });
  const by = fc.oneof(
    { weight: 3, arbitrary: fc.constant('target' as const) },
    { weight: 1, arbitrary: agent },
  );
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('ask' as const),
        by: agent,
        target: agent,
        id: fc.constantFrom(null, 'a', 'b'),
        n,
      }),
    },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('answer' as const), by, about, reply }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('expire' as const), about, late: fc.option(reply) }),
    },
  );
}
