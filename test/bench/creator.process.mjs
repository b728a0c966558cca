// Creates things in a closed loop, and measures how long each takes to be done: node creator.process.mjs <json options>
//   path   /tasks or /workflows
//   body   what is posted
//   seen   how its end is seen: `result` long-polls it, `socket` subscribes to `topic`, `never` is content with the 201
//   pause  ms at most, a random part of which lies between two turns
import { setTimeout as sleep } from 'node:timers/promises';
import { Api } from './api.mjs';
import { now, serve } from './load-process.mjs';
import { connect, say } from './socket.mjs';

const { url, token, path, body, seen, topic, pause = 0 } = JSON.parse(process.argv[2]);
const api = new Api(url, token, 128);

/** Ended before its creation was answered, or waited for. */
const ended = new Set();
const waiting = new Map();

const WAYS = {
  never: () => {},
  result: (id) => api.resultOf(`${path}/${id}`),
  socket: (id) => ended.delete(id) || new Promise((resolve) => waiting.set(id, resolve)),
};

function onEvent({ payload }) {
  const id = payload.task_id ?? payload.workflow_id;
  const resolve = waiting.get(id);
  if (resolve === undefined) return ended.add(id);
  waiting.delete(id);
  return resolve();
}

let running = false;
let loops = [];
const turns = [];

async function loop() {
  while (running) {
    const startedAt = now();
    // The worker subtracts it from its own time.
    const input = { ...body.input_data, sent_at: startedAt };
    const { id } = await api.post(path, { ...body, input_data: input });
    await WAYS[seen](id);
    turns.push(now() - startedAt);
    if (pause > 0) await sleep(Math.random() * pause);
  }
}

serve({
  async ready() {
    if (seen !== 'socket') return;
    const socket = await connect(url, token, onEvent);
    await say(socket, 'subscribe', { topics: [topic] });
  },
  start({ callers }) {
    running = true;
    loops = Array.from({ length: callers }, loop);
  },
  /** How long each turn since the last question took, in ms. */
  take: () => turns.splice(0),
  async stop() {
    running = false;
    await Promise.all(loops);
  },
});
