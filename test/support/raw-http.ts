import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A connection to a server, for what no HTTP client would send. */
export class RawConnection {
  private text = '';
  /** Resolves when the server has closed it, with all that it said. */
  readonly closed: Promise<string>;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
    socket.on('error', () => {});
    this.closed = once(socket, 'close').then(() => this.text);
  }

  /** @param base where the server listens */
  static async to(base: string): Promise<RawConnection> {
    const socket = connect(Number(new URL(base).port), '127.0.0.1');
    await once(socket, 'connect');
    return new RawConnection(socket);
  }

  send(...parts: (string | Uint8Array)[]): void {
    for (const part of parts) this.socket.write(part);
  }

  /** All that the server has said so far. */
  heard(): string {
    return this.text;
  }
}

/** What a server says to raw bytes, until it closes the connection. */
export async function talk(base: string, ...parts: (string | Uint8Array)[]): Promise<string> {
  const connection = await RawConnection.to(base);
  connection.send(...parts);
  return connection.closed;
}

/** The answers in what a server said, in order. Each must tell its length. */
export function answersIn(said: string): { status: number; head: string; body: string }[] {
  const answers = [];
  for (let rest = said; rest !== '';) {
    const end = rest.indexOf('\r\n\r\n') + 4;
    const head = rest.slice(0, end);
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    answers.push({ status: Number(head.slice(9, 12)), head, body: rest.slice(end, end + length) });
    rest = rest.slice(end + length);
  }
  return answers;
}
