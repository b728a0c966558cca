import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

const [TEXT, CLOSE, PING, PONG] = [0x1, 0x8, 0x9, 0xa];

/**
 * A Socket.IO client of /ws that costs next to nothing, so that ten thousand fit into one process: it logs in, answers
 * pings, and hands on the text of what it is told. WebSocket as RFC 6455 has it, Engine.IO 4 and Socket.IO 5 above.
 */
export class LightSocket {
  #wire;
  #rest = Buffer.alloc(0);
  #opened = false;
  #settle;
  #onText;
  #acks = new Map();
  #next = 0;
  closed = false;
  /** Resolves to undefined when it is let in, to the `connect_error`'s data when it is refused. */
  admitted = new Promise((resolve) => (this.#settle = resolve));

  /** @param onText is called with the text of each Socket.IO packet that is not about the connection itself */
  constructor(url, auth, onText = () => {}) {
    const { hostname, port } = new URL(url);
    this.auth = auth;
    this.#onText = onText;
    this.#wire = connect(Number(port), hostname);
    this.#wire.setNoDelay(true);
    this.#wire.on('connect', () =>
      this.#wire.write(
        `GET /ws/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\n` +
          `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
      ),
    );
    this.#wire.on('data', (chunk) => this.#read(chunk));
    this.#wire.on('error', () => {});
    this.#wire.on('close', () => {
      this.closed = true;
      this.#settle({ error: { code: 'CLOSED', message: 'the connection was closed' } });
    });
  }

  /** Reads nothing more, as a client that is stuck. */
  freeze() {
    this.#wire.pause();
  }

  thaw() {
    this.#wire.resume();
  }

  /** Sends a message; resolves to its acknowledgement. */
  ask(name, body) {
    const id = (this.#next += 1);
    this.#send(`42${id}${JSON.stringify([name, body])}`);
    return new Promise((resolve) => this.#acks.set(id, resolve));
  }

  end() {
    this.#wire.destroy();
  }

  #read(chunk) {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (!this.#opened) {
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = this.#rest.toString('latin1', 0, end);
      const body = this.#rest.subarray(end + 4);
      if (!head.startsWith('HTTP/1.1 101')) {
        this.#settle({ error: { code: head.slice(9, 12), message: body.toString() } });
        return this.end();
      }
      this.#opened = true;
      this.#rest = body;
    }
    for (let frame = frameIn(this.#rest); frame !== undefined; frame = frameIn(this.#rest)) {
      const payload = this.#rest.subarray(frame.start, frame.end);
      this.#rest = this.#rest.subarray(frame.end);
      this.#hear(frame.code, payload);
    }
  }

  #hear(code, payload) {
    if (code === PING) return this.#wire.write(frameOf(PONG, payload));
    if (code === CLOSE) return this.end();
    const text = payload.toString();
    if (text === '2') return this.#send('3');
    if (text.startsWith('0')) return this.#send(`40${JSON.stringify(this.auth)}`);
    if (text.startsWith('40')) return this.#settle(undefined);
    if (text.startsWith('44')) return this.#settle(JSON.parse(text.slice(2)).data);
    if (!text.startsWith('43')) return this.#onText(text);
    const list = text.indexOf('[');
    const id = Number(text.slice(2, list));
    this.#acks.get(id)?.(JSON.parse(text.slice(list))[0]);
    this.#acks.delete(id);
  }

  #send(text) {
    this.#wire.write(frameOf(TEXT, Buffer.from(text)));
  }
}

/** The first whole frame of some bytes; a server does not mask. */
function frameIn(bytes) {
  if (bytes.length < 2) return undefined;
  const short = bytes[1] & 0x7f;
  const start = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (bytes.length < start) return undefined;
  const size =
    short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
  return bytes.length < start + size ? undefined : { code: bytes[0] & 0x0f, start, end: start + size };
}

/** A client masks; with zeros, as nobody listens in here. */
function frameOf(code, payload) {
  const long = payload.length > 125;
  const head = Buffer.alloc(long ? 8 : 6);
  head[0] = 0x80 | code;
  head[1] = 0x80 | (long ? 126 : payload.length);
  if (long) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}
