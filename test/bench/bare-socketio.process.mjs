// Bare Socket.IO, for comparison: whoever connects is told what the parent says, each event once to all.
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer();
const io = new Server(http, {
  path: '/ws',
  perMessageDeflate: false,
  serveClient: false,
  pingInterval: 30_000,
});
io.on('connection', (socket) => socket.on('subscribe', (_topics, acknowledge) => acknowledge({ ok: true })));
http.listen(0, '127.0.0.1', () => process.send({ url: `http://127.0.0.1:${http.address().port}` }));
process.on('message', ({ event, count }) => {
  for (let n = 0; n < count; n += 1) io.emit('event', { ...event, seq: n });
});
process.on('disconnect', () => process.exit());
