import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Envelope } from '../../src/events/index.js';
import { until } from '../support/wait-for.js';
import { deliveryFaults, isWanted, type Reader, type Wish } from './delivery.js';
import { killed, startProcess } from './fleet.js';
import { readHistory } from './history.js';
import { readLog } from './outcome.js';
import { ChaosPostgres } from './postgres.js';
import { randomFrom } from './random.mjs';
import { World } from './world.js';

interface Size {
  /** Socket clients; a third of them agents that have stored subscriptions. */
  readonly sockets: number;
  /** Readers by Server-Sent Events, and as many by long poll. */
  readonly others: number;
  readonly events: number;
  readonly kills: number;
}

const SMALL = { sockets: 40, others: 4, events: 4_000, kills: 2 };
const WHOLE = { sockets: 200, others: 12, events: 20_000, kills: 5 };

const TYPES = ['alpha', 'beta', 'gamma', 'delta'];
const PRIORITIES = ['low', 'normal', 'high', 'critical'];
const TOPICS = [
  ['task.*.created'],
  ['task.alpha.#'],
  ['task.*.cancelled', 'system.alerts'],
  ['task.beta.*', 'task.gamma.created'],
  ['task.created', 'task.*.created'],
  ['*.delta.cancelled'],
  ['task.#'],
  ['#'],
];
const FILTERS: Wish['filters'][] = [
  {},
  { priority: 'high' },
  { priority: ['low', 'critical'], type: 'alpha' },
  { type: ['beta', 'gamma'], priority: 'normal' },
  { event_type: 'task.cancelled' },
  { status: 'queued', priority: 'critical' },
];
const BATCH = 50;
const PROCESSES = 4;
/** Each is created, and cancelled. */
const EVENTS_PER_TASK = 2;

/** A reader as readers.process.mjs takes it. */
interface Client extends Reader {
  readonly kind: 'socket' | 'stored' | 'stream' | 'poll';
  readonly token: string;
  readonly after: string;
  readonly topics: readonly string[];
  readonly filters: Wish['filters'];
  readonly path?: string;
}

describe('A10', () => {
  let postgres: ChaosPostgres;
  let world: World;
  let history: string;
  let readers: ChildProcess[] = [];

  beforeAll(async () => {
    postgres = await ChaosPostgres.start();
  });
  afterEach(async () => {
    await Promise.all(readers.map(killed));
    await world.stop();
    await rm(history, { recursive: true, force: true });
  });
  afterAll(() => postgres.remove());

  it.each([
    ['small', SMALL],
    ['whole', WHOLE],
  ])('%s: each reader is told exactly what it asked for, in order', async (name, size: Size) => {
    history = await mkdtemp(join(tmpdir(), 'parley-readers-'));
    world = await World.start({ database: postgres.url });
    const clients = await enter(size);
    readers = Array.from({ length: PROCESSES }, (_, n) =>
      startProcess('readers.process.mjs', {
        url: world.urls[0],
        seed: world.seed + n,
        history,
        readers: clients.filter((_client, at) => at % PROCESSES === n),
      }),
    );
    const began = Date.now();
    await load(size);
    const log = await readAll(clients);
    const wanted = new Map(clients.map((client) => [client.name, countWanted(client, log)]));
    // Whoever never gets all of it shows in the faults.
    await until(
      async () => {
        const counts = await countsOf(readers);
        return [...wanted].every(([reader, count]) => (counts[reader] ?? 0) >= count);
      },
      { within: 300_000 },
    ).catch(() => {});
    const took = Date.now() - began;
    await Promise.all(readers.map(killed));
    // What happened since nobody has to have heard of.
    const late = new Set((await readAll(clients)).slice(log.length).map(({ id }) => id));
    const { told, gaps } = readHistory(history);
    const heard = told.filter(({ id }) => !late.has(id));
    const faults = deliveryFaults(clients, heard, log);
    const different = new Set(heard.map(({ client, id }) => `${client} ${id}`)).size;
    const wantedInAll = [...wanted.values()].reduce((sum, count) => sum + count, 0);
    const rows = {
      seed: world.seed,
      readers: `${size.sockets} sockets, ${size.others} streams, ${size.others} polls`,
      'events / kill -9': `${log.length} / ${world.restarts.length}`,
      'told / different ones / wanted': `${heard.length} / ${different} / ${wantedInAll}`,
      'took, load and catching up': `${Math.round(took / 1000)} s`,
      gaps,
      verdict: faults.length === 0 ? 'PASS' : `FAIL, ${faults.length} faults, such as ${faults[0]}`,
    };
    const lines = Object.entries(rows).map(([key, value]) => `  ${key.padEnd(30)}  ${value}`);
    process.stdout.write(`\nA10 ${name}\n${lines.join('\n')}\n`);
    expect(faults.slice(0, 10)).toEqual([]);
    expect(gaps).toBe(0);
    expect(log.length).toBeGreaterThanOrEqual(size.events);
    expect(world.restarts).toHaveLength(size.kills);
  });

  /** All that happened since the readers came. */
  function readAll([first]: readonly Client[]): Promise<Envelope[]> {
    return readLog((method, path, body) => world.call(method, path, body), first?.after);
  }

  /** All readers, each with its own wishes, from the present end of the log on. */
  async function enter({ sockets, others }: Size): Promise<Client[]> {
    const random = randomFrom(world.seed);
    const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
    const drafts: Omit<Client, 'after'>[] = [];
    const wish = (filtered: boolean): Wish => ({
      topics: pick(TOPICS),
      filters: filtered ? pick(FILTERS) : {},
    });
    const { token } = world;
    for (let n = 0; n < sockets; n += 1) {
      if (n % 3 === 0) {
        const wishes = Array.from({ length: 1 + (n % 4) }, () => wish(true));
        drafts.push({ kind: 'stored', ...(await agent(`reader-${n}`, wishes)), wishes });
      } else {
        const one = wish(true);
        drafts.push({ kind: 'socket', name: `socket-${n}`, token, ...one, wishes: [one] });
      }
    }
    for (let n = 0; n < others; n += 1) {
      const [streamed, polled, stored] = [wish(false), wish(false), wish(true)];
      drafts.push({ kind: 'stream', name: `stream-${n}`, token, ...streamed, wishes: [streamed] });
      drafts.push(
        n % 2 === 0
          ? { kind: 'poll', name: `poll-${n}`, token, ...polled, wishes: [polled] }
          : { kind: 'poll', ...(await agent(`poller-${n}`, [stored])), wishes: [stored] },
      );
    }
    const { body } = await world.call('GET', '/events?limit=200&topics=none');
    return drafts.map((draft) => ({ ...draft, after: String(body['next_cursor']) }));
  }

  /** An agent with subscriptions that are kept for it; `path` is where the first of them is read. */
  async function agent(
    name: string,
    wishes: readonly Wish[],
  ): Promise<Omit<Client, 'after' | 'kind' | 'wishes'>> {
    const { body } = await world.call('POST', '/agents/register', { id: name, type: 'reader' });
    const token = await world.tokenOf(body['credentials'] as Record<string, unknown>);
    let path = '';
    for (const { topics, filters } of wishes) {
      const made = await world.call('POST', '/subscriptions', { agent_id: name, topics, filters }, token);
      expect(made.status).toBe(201);
      path ||= `/subscriptions/${String(made.body['id'])}/events`;
    }
    return { name, token, topics: [], filters: {}, path };
  }

  /** Tasks come in batches and are cancelled one by one; the server is killed at equal shares of them. */
  async function load({ events, kills }: Size): Promise<void> {
    const random = randomFrom(world.seed + 1);
    const pick = (values: readonly string[]): string => values[Math.floor(random() * values.length)] ?? '';
    const count = Math.ceil(events / EVENTS_PER_TASK);
    const tasks = Array.from({ length: count }, (_, n) => ({
      id: `task-${n}`,
      type: pick(TYPES),
      priority: pick(PRIORITIES),
    }));
    let cancelled = 0;
    const batches = Array.from({ length: Math.ceil(count / BATCH) }, (_, n) =>
      tasks.slice(n * BATCH, (n + 1) * BATCH),
    );
    const workers = Array.from({ length: 4 }, async () => {
      for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
        await insistOn('/tasks/batch', { tasks: batch });
        for (const { id } of batch) {
          await insistOn(`/tasks/${id}/cancel`);
          cancelled += 1;
        }
      }
    });
    for (let kill = 1; kill <= kills; kill += 1) {
      await until(() => cancelled >= (kill / (kills + 1)) * count, { within: 300_000 });
      await world.crashServer();
    }
    await Promise.all(workers);
  }

  /** Until it is answered; what had been done before its answer was lost is refused as done. */
  async function insistOn(path: string, body?: object): Promise<void> {
    for (;;) {
      const { status } = await world.call('POST', path, body);
      if (status !== 0 && status !== 503) return expect([200, 201, 409]).toContain(status);
      await delay(100);
    }
  }
});

function countWanted({ wishes }: Reader, log: readonly Envelope[]): number {
  return log.filter((event) => isWanted(wishes, event)).length;
}

/** How many different events each reader has. */
async function countsOf(readers: readonly ChildProcess[]): Promise<Record<string, number>> {
  const answers = readers.map(
    (one) =>
      new Promise<Record<string, number>>((resolve) => {
        // Our own program answers so.
        one.once('message', (message) => resolve(message as Record<string, number>));
        one.send('counts');
      }),
  );
  return Object.assign({}, ...(await Promise.all(answers))) as Record<string, number>;
}
