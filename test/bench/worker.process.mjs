// An agent that does nothing but take tasks and report them completed: node worker.process.mjs <json options>
//   by  `http`     one call per step: `at_once` loops, each claims one task, by long poll, and reports it
//       `batched`  one loop: it reports what it got in one call, which claims the next
//       `socket`   tasks are pushed to its socket, and reported over it
import { Api, LONGEST_POLL_MS } from './api.mjs';
import { now, serve } from './load-process.mjs';
import { connect, say } from './socket.mjs';

const { url, token, id, by, at_once: atOnce = 64 } = JSON.parse(process.argv[2]);
const BEAT_MS = 20_000;
const COMPLETED = {
  status: 'completed',
  output_data: { files_generated: 12, current_operation: 'generating_api_routes' },
};

const api = new Api(url, token, 128);
/** From the moment a creator sent its task to the moment it is here, in ms. */
const claimed = [];

function report(task) {
  const sentAt = task.input_data?.sent_at;
  if (sentAt !== undefined) claimed.push(now() - sentAt);
  return { ...COMPLETED, lease_token: task.lease_token };
}

const claim = async (max) =>
  (await api.post(`/agents/${id}/claim`, { max_tasks: max, wait_ms: LONGEST_POLL_MS })).items;

async function oneByOne() {
  for (;;) {
    for (const task of await claim(1)) await api.call('PATCH', `/tasks/${task.id}`, report(task));
  }
}

async function inBatches() {
  for (let tasks = []; ;) {
    if (tasks.length === 0) tasks = await claim(atOnce);
    if (tasks.length === 0) continue;
    const reports = tasks.map((task) => ({ task_id: task.id, ...report(task) }));
    const answer = await api.post(`/agents/${id}/reports`, { reports, claim: { max_tasks: atOnce } });
    const refused = answer.items.find(({ ok }) => !ok);
    if (refused !== undefined) throw new Error(`a report was refused: ${JSON.stringify(refused)}`);
    tasks = answer.claimed;
  }
}

async function overSocket() {
  const socket = await connect(url, token, ({ event_type: type, payload }) => {
    if (type !== 'task.assigned') return;
    void say(socket, 'report', { task_id: payload.task_id, ...report(payload.task) });
  });
  await say(socket, 'ready', { capacity: atOnce });
}

const beat = () => api.post(`/agents/${id}/heartbeat`, { status: 'active' });

serve({
  async ready() {
    if (by === 'socket') await overSocket();
    else if (by === 'batched') void inBatches();
    else for (let n = 0; n < atOnce; n += 1) void oneByOne();
    setInterval(() => void beat(), BEAT_MS);
  },
  take: () => claimed.splice(0),
});
