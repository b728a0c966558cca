// A process full of light sockets, steered by its parent (many-sockets.ts): it answers each order with a message.
import { LightSocket } from './light-socket.mjs';

const { url, auth } = JSON.parse(process.argv[2]);
/** So many connect at once: a listening socket's backlog is short. */
const AT_ONCE = 200;

const sockets = [];
let events = 0;
let lastAt = 0;
const frozen = new Set();

function hear(text) {
  if (!text.startsWith('42["event')) return;
  events += 1;
  lastAt = Date.now();
}

const ORDERS = {
  async connect({ count }) {
    for (let left = count; left > 0; left -= AT_ONCE) {
      const some = Array.from({ length: Math.min(left, AT_ONCE) }, () => new LightSocket(url, auth, hear));
      const refused = (await Promise.all(some.map(({ admitted }) => admitted))).filter(
        (one) => one !== undefined,
      );
      if (refused.length > 0) throw new Error(`refused: ${JSON.stringify(refused[0])}`);
      sockets.push(...some);
    }
    return { connected: sockets.length };
  },
  async subscribe({ topics, count = sockets.length }) {
    const some = sockets.slice(0, count);
    const acks = await Promise.all(some.map((socket) => socket.ask('subscribe', { topics })));
    const refused = acks.find(({ ok }) => !ok);
    if (refused !== undefined) throw new Error(JSON.stringify(refused));
    return { subscribed: acks.length };
  },
  async freeze({ count }) {
    for (const socket of sockets.slice(0, count)) {
      socket.freeze();
      frozen.add(socket);
    }
    return { frozen: frozen.size };
  },
  async thaw() {
    for (const socket of frozen) socket.thaw();
    return { thawed: frozen.size };
  },
  async counts() {
    return {
      events,
      lastAt,
      open: sockets.filter((socket) => !socket.closed).length,
      cut: [...frozen].filter((socket) => socket.closed).length,
    };
  },
  async extra() {
    const one = new LightSocket(url, auth, hear);
    const refused = await one.admitted;
    one.end();
    return { refused };
  },
};

process.on('message', ({ id, order, ...more }) => {
  ORDERS[order](more).then(
    (answer) => process.send({ id, answer }),
    (error) => process.send({ id, error: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.send({ id: 0, answer: {} });
