import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

/** A POST as it arrived. */
export interface Received {
  readonly path: string;
  readonly at: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

type Behaviour = (reply: ServerResponse, tries: number, received: Received) => void;

/** A stranger's server that webhooks and callbacks are sent to; each path behaves as the test says, or answers 204. */
export class Receiver {
  readonly received: Received[] = [];
  private readonly behaviours = new Map<string, Behaviour>();
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, reply) => {
      request.setEncoding('utf8');
      let body = '';
      request.on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        const path = request.url ?? '';
        const received = { path, at: Date.now(), headers: request.headers, body };
        this.received.push(received);
        const behave = this.behaviours.get(path) ?? ((answer) => answer.writeHead(204).end());
        behave(reply, this.at(path).length, received);
      });
    });
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  urlOf(path: string): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${path}`;
  }

  /** @param behave gets the number of the try, from 1 */
  on(path: string, behave: Behaviour): string {
    this.behaviours.set(path, behave);
    return this.urlOf(path);
  }

  /** All that came to a path, in order. */
  at(path: string): Received[] {
    return this.received.filter((one) => one.path === path);
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** What a receiver knows when it has checked the signature by the standard's own library. @throws when it is not right */
export function verified({ headers, body }: Received, secret: string): unknown {
  return new Webhook(secret).verify(body, headers as Record<string, string>);
}
