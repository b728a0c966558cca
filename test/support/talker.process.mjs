// An agent that talks, as a process of its own: node talker.process.mjs <json options>
// It connects a socket, keeps itself alive, answers requests, acknowledges what it was told, and does what its standard input
// says, a line of JSON each: {n, ask, body} over the socket, {n, method, path, body} over HTTP. All it hears, and each answer,
// is a line of JSON on its standard output.
import { createInterface } from 'node:readline';
import { io } from 'socket.io-client';

const { url, id, token, after, response } = JSON.parse(process.argv[2] ?? '{}');
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const socket = io(url, { path: '/ws', transports: ['websocket'], auth: { token, after } });
const ask = (name, body) => socket.timeout(10_000).emitWithAck(name, body);

async function call(method, path, body) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const request = { method, headers };
  const answer = await fetch(`${url}/api/v1${path}`, { ...request, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
}

socket.on('connect', () => say({ connected: true }));
socket.on('event', (event) => {
  say({ event });
  void hear(event);
});

async function hear(event) {
  if (event.event_type === 'request.created' && event.target_agent === id) {
    const request = event.payload.request_id;
    await call('POST', `/callbacks/${request}`, { ...response, request_id: request });
  }
  if (event.target_agent === id) await ask('ack', { cursor: event.cursor });
  say({ acknowledged: event.id });
}

setInterval(() => socket.connected && void ask('heartbeat', { status: 'active' }).catch(() => {}), 300);

createInterface({ input: process.stdin }).on('line', (line) => void obey(JSON.parse(line)));

async function obey({ n, ask: name, method, path, body }) {
  say({ n, answer: await (name === undefined ? call(method, path, body) : ask(name, body)) });
}
