import type { Envelope } from '../../src/events/index.js';
import { until } from './wait-for.js';

/** A control frame: it has an `event:` line. */
export interface ControlFrame {
  readonly name: string;
  readonly body: Readonly<Record<string, unknown>>;
}

interface Options {
  readonly token?: string;
  /** The query string, without `?`. */
  readonly query?: string;
  readonly lastEventId?: string;
}

/** A reader of `GET /events/stream`, as strict as the standard: it keeps all it is told, in the order it was told. */
export class TestEventSource {
  readonly events: Envelope[] = [];
  readonly told: ControlFrame[] = [];
  comments = 0;
  /** What a browser would send as `Last-Event-ID`. */
  lastEventId = '';
  ended = false;
  private paused: Promise<void> = Promise.resolve();

  private constructor(
    readonly response: Response,
    private readonly abort: AbortController,
  ) {
    void this.read()
      .catch(() => {})
      .finally(() => (this.ended = true));
  }

  /** Rejects with the answer's text if it is refused. */
  static async open(url: string, { token, query = '', lastEventId }: Options): Promise<TestEventSource> {
    const abort = new AbortController();
    const response = await fetch(`${url}/api/v1/events/stream?${query}`, {
      signal: abort.signal,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
      },
    });
    if (response.status !== 200) throw new Error(await response.text());
    return new TestEventSource(response, abort);
  }

  get ids(): string[] {
    return this.events.map(({ id }) => id);
  }

  bodiesOf(name: string): ControlFrame['body'][] {
    return this.told.filter((one) => one.name === name).map(({ body }) => body);
  }

  has(count: number): Promise<true> {
    return until(() => this.events.length >= count);
  }

  /** Reads nothing until the returned function is called. */
  pause(): () => void {
    let resume = (): void => {};
    this.paused = new Promise((resolve) => (resume = resolve));
    return resume;
  }

  close(): void {
    this.abort.abort();
  }

  private async read(): Promise<void> {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of this.response.body ?? []) {
      await this.paused;
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) this.hear(block);
    }
  }

  private hear(block: string): void {
    let name: string | undefined;
    let data: string | undefined;
    let id: string | undefined;
    for (const line of block.split('\n')) {
      if (line.startsWith(':')) this.comments += 1;
      else if (line.startsWith('event: ')) name = line.slice(7);
      else if (line.startsWith('data: ')) data = line.slice(6);
      else if (line.startsWith('id: ')) id = line.slice(4);
      else throw new Error(`not a line of an event stream: ${line}`);
    }
    if (name !== undefined && id !== undefined) throw new Error('a control frame has an id');
    if (id !== undefined) this.lastEventId = id;
    if (data === undefined) return;
    if (name !== undefined) this.told.push({ name, body: JSON.parse(data) as ControlFrame['body'] });
    else {
      const envelope = JSON.parse(data) as Envelope;
      if (id !== envelope.cursor) throw new Error('the id of an event is its cursor');
      this.events.push(envelope);
    }
  }
}
