import { io } from 'socket.io-client';

/** A connection to /ws that gets its events in arrays. Resolves when it is let in. */
export async function connect(url, token, onEvent) {
  const socket = io(url, { path: '/ws', auth: { token, batch: true }, transports: ['websocket'] });
  socket.on('events', (events) => events.forEach(onEvent));
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  return socket;
}

/** @throws when it is refused */
export async function say(socket, name, body) {
  const { ok, error } = await socket.emitWithAck(name, body);
  if (!ok) throw new Error(`${name} was refused: ${JSON.stringify(error)}`);
}
