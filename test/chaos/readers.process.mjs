// Many readers of the log in one process, each cut off, or leaving, again and again, and going on where it was:
// node readers.process.mjs <options as JSON>. What each was told goes into its history, in the order it was told; asked over
// IPC, the process answers how many different events each has.
import { setTimeout as sleep } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { randomFrom } from './random.mjs';
import { Recorder } from './recorder.mjs';

const { url, seed, history, readers } = JSON.parse(process.argv[2] ?? '{}');
const random = randomFrom(seed);
const known = new Map();
/** How long a connection lasts, in ms. */
const stay = () => Math.round(500 + random() * 4_000);

process.on('disconnect', () => process.exit(0));
process.on('message', () =>
  process.send(Object.fromEntries([...known].map(([name, ids]) => [name, ids.size]))),
);

function memory({ name, after }) {
  const record = new Recorder(history, name);
  const ids = new Set();
  known.set(name, ids);
  const self = {
    cursor: after,
    gap: (gap) => record.note('gap', gap),
    hear({ id, event_type: type, seq, payload, cursor }) {
      self.cursor = cursor;
      ids.add(id);
      const aggregate = payload.task_id ?? payload.agent_id ?? id;
      record.note('told', { id, type, aggregate, seq });
    },
  };
  return self;
}

/** Subscribes by itself, or (`stored`) is told what is subscribed for its agent. */
async function socket({ token, topics, filters, kind }, memo) {
  const batch = random() < 0.5;
  const auth = kind === 'stored' ? { token, batch, after: memo.cursor } : { token, batch };
  const one = io(url, { path: '/ws', auth, transports: ['websocket'], reconnection: false, forceNew: true });
  const over = new Promise((resolve) => {
    one.once('disconnect', resolve);
    one.once('connect_error', resolve);
  });
  one.on('event', memo.hear);
  one.on('events', (envelopes) => envelopes.forEach(memo.hear));
  one.on('gap', memo.gap);
  // A mailbox has a position of its own.
  one.on('replay_complete', ({ mailbox, cursor }) => mailbox === undefined && (memo.cursor = cursor));
  if (kind === 'socket')
    one.once('connect', () => one.emit('subscribe', { topics, filters, after: memo.cursor }));
  await Promise.race([over, sleep(stay())]);
  one.off('event').off('events').off('replay_complete');
  one.close();
}

async function stream({ token, topics }, memo) {
  const query = new URLSearchParams({ topics: topics.join(','), access_token: token });
  const abort = AbortSignal.timeout(stay());
  const headers = { 'last-event-id': memo.cursor };
  const answer = await fetch(`${url}/api/v1/events/stream?${query}`, { headers, signal: abort });
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of answer.body) {
    const blocks = (text + decoder.decode(chunk, { stream: true })).split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      memo.cursor = /^id: (.*)$/m.exec(block)?.[1] ?? memo.cursor;
      if (/^event: gap$/m.test(block)) memo.gap(JSON.parse(data));
      else if (data !== undefined && !/^event: /m.test(block)) memo.hear(JSON.parse(data));
    }
  }
}

/** Pages of the log, or of a subscription. */
async function poll({ token, topics, path }, memo) {
  const of = path === undefined ? `/events?topics=${encodeURIComponent(topics.join(','))}` : `${path}?`;
  const query = `${of}&after=${memo.cursor}&limit=200&wait_ms=2000`;
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${url}/api/v1${query}`, { headers, signal: AbortSignal.timeout(stay()) });
  if (answer.status !== 200) throw new Error(String(answer.status));
  const { items, next_cursor: next } = await answer.json();
  for (const item of items) (item.gap === undefined ? memo.hear : memo.gap)(item);
  memo.cursor = next;
}

const KINDS = { socket, stored: socket, stream, poll };

await Promise.all(
  readers.map(async (reader) => {
    const memo = memory(reader);
    for (;;) {
      // Cut off, killed, refused: all the same to it.
      await KINDS[reader.kind](reader, memo).catch(() => sleep(100));
      await sleep(random() * 100);
    }
  }),
);
