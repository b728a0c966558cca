// A subscriber of the whole log that is cut off, or leaves, again and again, and goes on where it was:
// node subscriber.process.mjs <options as JSON>. What it was told goes into its history, in the order it was told.
import { setTimeout as sleep } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { randomFrom } from './random.mjs';
import { Recorder } from './recorder.mjs';

const { urls, token, seed, history, client, after } = JSON.parse(process.argv[2] ?? '{}');
const random = randomFrom(seed);
const record = new Recorder(history, client);
let cursor = after;

function hear({ id, event_type: type, seq, payload, cursor: at }) {
  cursor = at;
  const aggregate = type.startsWith('workflow.')
    ? payload.workflow_id
    : (payload.task_id ?? payload.agent_id);
  record.note('told', { id, type, aggregate, seq });
  process.send({ told: id });
}

process.on('disconnect', () => process.exit(0));
for (;;) {
  const url = urls[Math.floor(random() * urls.length)];
  const batch = random() < 0.5;
  const socket = io(url, {
    path: '/ws',
    auth: { token, batch },
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
  });
  const over = new Promise((resolve) => {
    socket.once('disconnect', resolve);
    socket.once('connect_error', resolve);
  });
  socket.on('event', hear);
  socket.on('events', (envelopes) => envelopes.forEach(hear));
  socket.on('gap', (gap) => record.note('gap', gap));
  socket.once('connect', () => {
    record.note('connected', {});
    socket.emit('subscribe', { topics: ['#'], after: cursor });
  });
  await Promise.race([over, sleep(500 + random() * 4_000)]);
  socket.close();
  await sleep(random() * 100);
}
