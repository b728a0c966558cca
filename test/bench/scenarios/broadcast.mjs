// One event to a thousand sockets, beside a bare Socket.IO server that emits the same to the same clients; and what a
// socket that only waits costs.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Api } from '../api.mjs';

const SOCKETS = 1_000;
/** Events on their way at once, so that neither server waits for its client. */
const BURST = 50;
const IDLE = 5_000;
const TOPIC = 'bench.broadcast';
/** As long as an event of a task. */
const DATA = { text: 'x'.repeat(200) };

async function run(bed, { seconds, times, warmUp }) {
  // First, while the server has no room left over from anything else.
  const idle = await idleMemory(bed);
  const theirs = await Bare.start();
  const api = new Api(bed.server.url, bed.server.token, BURST);
  const ours = { url: bed.server.url, say: (count) => publish(api, count) };
  const crowds = [];
  try {
    for (const { url } of [theirs, ours]) {
      const crowd = await Crowd.start(url, bed.server.token);
      crowds.push(crowd);
      await crowd.order('connect', { count: SOCKETS });
      await crowd.order('subscribe', { topics: [TOPIC] });
    }
    const rates = [[], []];
    for (const [n, { say }] of [theirs, ours].entries())
      await rateOf(crowds[n], say, Math.min(2, warmUp.atMost));
    for (let round = 0; round < times; round += 1)
      for (const [n, { say }] of [theirs, ours].entries())
        rates[n].push(await rateOf(crowds[n], say, seconds));
    const best = rates.map((some) => Math.max(...some));
    const what = `deliveries/s, best window (${best[1].toFixed(0)}) ÷ bare Socket.IO's (${best[0].toFixed(0)})`;
    return [
      { name: 'broadcast-bare', ...figuresOf(rates[0]) },
      {
        name: 'broadcast',
        ...figuresOf(rates[1]),
        targets: [{ what, value: best[1] / best[0], atLeast: 0.8 }, idle],
      },
    ];
  } finally {
    for (const crowd of crowds) crowd.end();
    theirs.end();
    await api.close();
  }
}

async function publish(api, count) {
  const body = { topic: TOPIC, data: DATA };
  await Promise.all(Array.from({ length: count }, () => api.post('/publications', body)));
}

/** Deliveries per second of bursts, each begun when the one before has reached everybody. */
async function rateOf(crowd, say, seconds) {
  const { events: before } = await crowd.order('counts');
  const startedAt = performance.now();
  let sent = 0;
  while (performance.now() - startedAt < seconds * 1000) {
    await say(BURST);
    sent += BURST;
    for (;;) {
      const { events } = await crowd.order('counts');
      if (events - before >= sent * SOCKETS) break;
      await sleep(2);
    }
  }
  return (sent * SOCKETS * 1000) / (performance.now() - startedAt);
}

/** Of sockets that have nothing to do, resident memory of the server each. */
async function idleMemory(bed) {
  const crowd = await Crowd.start(bed.server.url, bed.server.token);
  try {
    const before = residentKb(bed.server.pid);
    await crowd.order('connect', { count: IDLE });
    const value = (residentKb(bed.server.pid) - before) / IDLE;
    return { what: `kB of memory per idle socket, of ${IDLE}`, value, atMost: 30 };
  } finally {
    crowd.end();
  }
}

const residentKb = (pid) =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);

const figuresOf = (rates) => ({
  rate: rates.reduce((sum, rate) => sum + rate, 0) / rates.length,
  windows: rates.map((rate) => ({ rate })),
});

/** A process of a thousand clients, the same for both servers. */
class Crowd {
  #child;
  #orders = 0;

  static async start(url, token) {
    const crowd = new Crowd();
    const script = new URL('../../support/many-sockets.process.mjs', import.meta.url);
    crowd.#child = fork(script, [JSON.stringify({ url, auth: { token } })]);
    await once(crowd.#child, 'message');
    return crowd;
  }

  async order(order, more = {}) {
    const id = (this.#orders += 1);
    this.#child.send({ id, order, ...more });
    for (;;) {
      const [message] = await once(this.#child, 'message');
      if (message.id === id && message.error === undefined) return message.answer;
      if (message.id === id) throw new Error(message.error);
    }
  }

  end() {
    this.#child.disconnect();
  }
}

class Bare {
  #child;

  static async start() {
    const bare = new Bare();
    bare.#child = fork(new URL('../bare-socketio.process.mjs', import.meta.url));
    [{ url: bare.url }] = await once(bare.#child, 'message');
    return bare;
  }

  say = async (count) => this.#child.send({ event: EVENT, count });

  end() {
    this.#child.disconnect();
  }
}

/** What a publication becomes. */
const EVENT = {
  id: '0193a7c0-5c2e-7a10-8a1e-000000000001',
  timestamp: '2025-01-15T12:00:00.000Z',
  event_type: 'message.published',
  source_agent: null,
  target_agent: null,
  correlation_id: '0193a7c0-5c2e-7a10-8a1e-000000000001',
  payload: DATA,
  topic: TOPIC,
  project_id: 'bench',
  seq: 1,
  cursor: 'MS4wMTIzNDU2Nzg5YWIuMTIzNDU2',
};

export const BROADCASTS = [
  {
    name: 'broadcast',
    about: `one event to ${SOCKETS} sockets, beside bare Socket.IO; memory of idle ones`,
    run,
  },
];
